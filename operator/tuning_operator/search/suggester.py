"""What suggests a study's trials, and what it begins with and returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from tuning_operator.api.study import StudySpec
from tuning_operator.search.naming import Wanted


@dataclass(frozen=True)
class Past:
    """A study as it is when somebody begins to suggest trials for it."""

    name: str
    directions: Sequence[StudyDirection]
    seed: int
    spec: StudySpec
    trials: Sequence[FrozenTrial]
    """By number. They are replaced, never changed."""
    notes: Mapping[str, Any]
    """What its sampler noted: system attributes of the study."""
    warm: Sequence[FrozenTrial] = ()
    """Results of others, numbered from 0."""


@dataclass(frozen=True)
class Suggestion:
    """A trial that is not stored yet."""

    trial: FrozenTrial
    """With its number, and the attributes that a sampler gave it."""
    notes: Mapping[str, Any]
    """What the sampler noted about the study meanwhile: system attributes."""


class Suggester(Protocol):
    """Suggests a study's next trials, one after the other. One thread at a time uses it; the event loop never does."""

    def suggest(self, ended: Sequence[FrozenTrial], count: int, seconds: float) -> list[Suggestion]:
        """Return the next suggestions: fewer, but at least one, after so many seconds; none: there is nothing to try,
        or not before another trial has ended.

        `ended` are trials that came to their ends since the last call. The same trials give the same suggestions,
        whatever was asked in one call, and whichever process asks.

        Raises
        ------
        SearchFailed
            The sampler has a defect; this object is of no use any more.
        """

    def choose(self, ended: Sequence[FrozenTrial], wanted: Wanted) -> Any:
        """Return the value of a parameter that an open trial's code names, as Optuna has it; it is the trial's now.

        `ended` as in `suggest`. The same trials give the same value.

        Raises
        ------
        ParameterRefused
            Another trial has a parameter of that name and of another kind.
        SearchFailed
            The sampler has a defect; this object is of no use any more.
        """

    def size(self) -> int | None:
        """Return how many trials the search can have, enqueued ones included; None: endlessly many, or not known yet.

        Until the enqueued trials are asked for it is what remains at most. Not to be called while trials are suggested.
        """

    def why_none(self) -> str:
        """Return why constraints leave nothing to try although not all was tried, as a sentence; empty: they do not.

        Not to be called while trials are suggested.
        """
