"""All combinations of places on axes, of which some exist only at certain places of another one. Pure counting."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class AxisShape:
    """An axis: how many places it has, and where it exists."""

    size: int
    parent: str | None = None
    """The axis on which it depends; None: it always exists."""
    places: frozenset[int] = frozenset()
    """Places of the parent at which it exists."""


class Combinations:
    """The combinations, numbered from 0, without listing them; the last axis varies fastest.

    An axis of its own and what depends on it form a tree. Trees are independent of each other, so that their sizes
    multiply; within one, the sizes at each place of its root add up.
    """

    def __init__(self, axes: Mapping[str, AxisShape]) -> None:
        """`axes` has parents before what depends on them."""
        self._trees: list[_Tree] = []
        trees: dict[str, _Tree] = {}
        roots: dict[str, _Tree] = {}
        for name, axis in axes.items():
            tree = trees[name] = _Tree(name, axis)
            (self._trees if axis.parent is None else trees[axis.parent].children).append(tree)
            roots[name] = tree if axis.parent is None else roots[axis.parent]
            roots[name].names.add(name)
        for tree in reversed(trees.values()):
            tree.count_up()  # what depends on it first, for a chain can be too long to recurse

    @property
    def size(self) -> int:
        """How many there are."""
        return math.prod(tree.count for tree in self._trees)

    def places(self, index: int) -> dict[str, int]:
        """Return the place on each axis that exists in a combination."""
        found: dict[str, int] = {}
        _find(self._trees, index, found)
        return found

    def index(self, places: Mapping[str, int]) -> int:
        """Return which combination has these places, one on each axis that exists in it."""
        return _index(self._trees, places)

    def after(self, index: int, names: Collection[str]) -> int:
        """Return the first combination behind another one that may have other places on these axes."""
        alike = 1
        """Combinations in a row with the same place on each of them."""
        for tree in reversed(self._trees):
            if not tree.names.isdisjoint(names):
                break
            alike *= tree.count
        return (index // alike + 1) * alike


class _Tree:
    def __init__(self, name: str, axis: AxisShape) -> None:
        self.name = name
        self.axis = axis
        self.children: list[_Tree] = []
        self.names: set[str] = set()
        """Of a tree that depends on no other one: its axes."""
        self.count = 0
        self._special: list[tuple[int, int]] = []
        """Places at which other axes exist, ascending, with the number of combinations there. All others have one; they
        may be far too many to be listed."""

    def count_up(self) -> None:
        """Count the combinations, after those of the children."""
        places = sorted(frozenset[int]().union(*(child.axis.places for child in self.children)))
        self._special = [(place, math.prod(child.count for child in self.children_at(place))) for place in places]
        self.count = self.axis.size + sum(count - 1 for _, count in self._special)

    def children_at(self, place: int) -> Sequence[_Tree]:
        return [child for child in self.children if place in child.axis.places]

    def split(self, index: int) -> tuple[int, int]:
        """Return the place of a combination on the root, and which of those at this place it is."""
        further = 0
        for place, count in self._special:
            if index < place + further:
                break
            if index < place + further + count:
                return place, index - place - further
            further += count - 1
        return index - further, 0

    def join(self, place: int, below: int) -> int:
        """Return which combination it is, from what `split` returns."""
        return place + below + sum(count - 1 for earlier, count in self._special if earlier < place)


def _find(trees: Sequence[_Tree], index: int, found: dict[str, int]) -> None:
    for tree in reversed(trees):
        index, own = divmod(index, tree.count)
        found[tree.name], below = tree.split(own)
        _find(tree.children_at(found[tree.name]), below, found)


def _index(trees: Sequence[_Tree], places: Mapping[str, int]) -> int:
    index = 0
    for tree in trees:
        place = places[tree.name]
        index = index * tree.count + tree.join(place, _index(tree.children_at(place), places))
    return index
