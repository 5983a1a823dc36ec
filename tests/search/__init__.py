"""Tests of the search: samplers, pruners, the mirror of Optuna's storage and the studies' repositories."""
