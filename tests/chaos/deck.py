"""Which fault comes next."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random


class Deck:
    """Cards that are dealt in random order, all of them before any comes again: each kind comes equally often."""

    def __init__(self, cards: Sequence[str], chance: Random) -> None:
        self._cards = list(cards)
        self._chance = chance
        self._left: list[str] = []
        self._owed: list[str] = []

    def draw(self) -> str:
        """Return the next card."""
        if not self._left:
            self._left = [*self._cards, *self._owed]
            self._chance.shuffle(self._left)
            self._owed = []
        return self._left.pop()

    def owe(self, card: str) -> None:
        """Let a card that could not be played come once more in the next round."""
        self._owed.append(card)
