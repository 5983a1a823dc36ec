"""Tests of the test support itself: the product's proof rests on it."""
