"""A random order of more numbers than a list could hold."""

from __future__ import annotations

import hashlib

_ROUNDS = 6
"""Four make a permutation that can't be told from a random one (Luby and Rackoff, 1988); small ones want a few more."""


class Shuffle:
    """Puts the numbers below `size` into a random order, which follows from the seed.

    Each number costs the same however many there are. A Feistel network permutes all numbers of so many bits; one that
    falls outside goes through it again until it does not (Black and Rogaway, Ciphers with Arbitrary Finite Domains,
    2002): fewer than four times on average.
    """

    def __init__(self, size: int, seed: int) -> None:
        self._size = size
        self._key = str(seed).encode()
        self._bits = max(1, ((size - 1).bit_length() + 1) // 2)
        """Of each half."""

    def __call__(self, place: int) -> int:
        """Return the number at a place, from 0."""
        number = self._permuted(place)
        while number >= self._size:
            number = self._permuted(number)
        return number

    def _permuted(self, number: int) -> int:
        mask = (1 << self._bits) - 1
        left, right = number >> self._bits, number & mask
        for round_ in range(_ROUNDS):
            left, right = right, left ^ (self._digest(round_, right) & mask)
        return left << self._bits | right

    def _digest(self, round_: int, half: int) -> int:
        size = (self._bits + 7) // 8
        text = b"%d:%d:%b" % (round_, half, self._key)
        return int.from_bytes(hashlib.shake_128(text).digest(size), "big")
