"""Documents that were valid until something in them was replaced, removed or added."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

fuzzed = settings(max_examples=300, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))

texts = st.sampled_from(
    ["", "0", "-1", "x" * 300, "\x00", "\ud800", "NaN", "1e999", "../..", "$(HOME)", "{{", "\N{ARABIC-INDIC DIGIT ONE}"]
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 2**31, 2**53, 2**63, 10**400]),
    st.floats(),
    texts,
    st.text(max_size=8),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts | st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
"""Any JSON, and what Python's JSON reads beyond it."""


@st.composite
def mutated(draw: st.DrawFn, document: Any) -> Any:
    """Return the document with one to three of its places replaced, removed or added to."""
    changed = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(changed))
        if not places:
            return draw(values)
        holder, key = draw(st.sampled_from(places))
        match draw(st.sampled_from(["replace", "replace", "remove", "add"])):
            case "replace":
                holder[key] = draw(values)
            case "remove":
                del holder[key]
            case "add" if isinstance(holder, dict):
                holder[draw(texts)] = draw(values)
            case "add":
                holder.append(draw(values))
    return changed


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (holder, key or index) of everything within a document."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(pairs):
        yield value, key
        yield from _places(inner)
