"""Combinations of axes are numbered one by one, where some exist only at some places of others."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from tuning_operator.search.combinations import AxisShape, Combinations


@st.composite
def forests(draw: st.DrawFn) -> Mapping[str, AxisShape]:
    """A few small axes; some depend on an earlier one."""
    axes: dict[str, AxisShape] = {}
    for name in "abcde"[: draw(st.integers(1, 5))]:
        parent = draw(st.sampled_from([None, *axes]))
        places = st.frozensets(st.integers(0, axes[parent].size - 1)) if parent else st.just(frozenset[int]())
        axes[name] = AxisShape(draw(st.integers(1, 3)), parent, draw(places))
    return axes


def _listed(axes: Mapping[str, AxisShape]) -> list[dict[str, int]]:
    found: list[dict[str, int]] = [{}]
    for name, axis in axes.items():
        found = [
            {**known, name: place} if place is not None else known
            for known in found
            for place in (range(axis.size) if axis.parent is None or known.get(axis.parent) in axis.places else [None])
        ]
    return found


@settings(max_examples=60, deadline=None)
@given(forests())
def test_each_combination_has_one_number(axes: Mapping[str, AxisShape]) -> None:
    combinations = Combinations(axes)
    numbered = [combinations.places(index) for index in range(combinations.size)]
    listed = _listed(axes)
    assert len(numbered) == len(listed)
    assert {frozenset(places.items()) for places in numbered} == {frozenset(places.items()) for places in listed}
    assert [combinations.index(places) for places in numbered] == list(range(combinations.size))


@settings(max_examples=60, deadline=None)
@given(forests(), st.data())
def test_none_is_left_out_between_one_and_the_first_that_may_differ_on_some_axes(
    axes: Mapping[str, AxisShape], data: st.DataObject
) -> None:
    combinations = Combinations(axes)
    names = data.draw(st.sets(st.sampled_from(sorted(axes))))
    index = data.draw(st.integers(0, combinations.size - 1))
    after = combinations.after(index, names)
    assert index < after <= combinations.size

    def seen(index: int) -> dict[str, int]:
        return {name: place for name, place in combinations.places(index).items() if name in names}

    assert all(seen(between) == seen(index) for between in range(index + 1, after))


def test_as_many_as_possible_are_left_out() -> None:
    combinations = Combinations({"a": AxisShape(10), "b": AxisShape(10), "c": AxisShape(10)})
    assert [combinations.after(123, names) for names in ({"c"}, {"a", "b"}, {"a"}, set())] == [124, 130, 200, 1000]


def test_the_last_of_independent_axes_varies_fastest() -> None:
    combinations = Combinations({"a": AxisShape(2), "b": AxisShape(3)})
    assert [tuple(combinations.places(index).values())[::-1] for index in range(4)] == [(0, 0), (0, 1), (0, 2), (1, 0)]


def test_a_huge_axis_is_not_listed() -> None:
    axes = {"seed": AxisShape(2**53), "extra": AxisShape(3, "seed", frozenset([5, 2**52]))}
    combinations = Combinations(axes)
    assert combinations.size == 2**53 + 4
    assert combinations.places(combinations.size - 1) == {"seed": 2**53 - 1}
    assert [combinations.places(index).get("extra") for index in range(4, 10)] == [None, 0, 1, 2, None, None]


def test_a_chain_as_long_as_a_space_may_be_is_counted() -> None:
    axes = {"p0": AxisShape(2)} | {f"p{i}": AxisShape(2, f"p{i - 1}", frozenset([1])) for i in range(1, 200)}
    combinations = Combinations(axes)
    assert combinations.size == 201
    assert len(combinations.places(200)) == 200
    assert combinations.index(combinations.places(200)) == 200
