"""The version of the contract between the operator and a training container."""

CONTRACT_VERSION = 1
"""Raised when an old trainer could misread a new operator or the other way round; additions do not raise it."""
