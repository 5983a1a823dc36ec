"""Whether a study's records are as this project writes them: people can write anything into Optuna's tables."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from optuna.trial import FrozenTrial, TrialState

from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import StorageDamaged
from tuning_operator.search.attributes import TOLD_AFTER, Unreadable, trial_attributes
from tuning_operator.search.lineage import lineage_of


def check_trials(key: StudyKey, trials: list[FrozenTrial], objectives: int, first: int = 0) -> list[FrozenTrial]:
    """Return a study's trials from `first` on, when they are what this project wrote of so many objectives.

    Raises
    ------
    StorageDamaged
        Somebody else has written one, or what this project needs of it; the sentence names it.
    """
    total = first + len(trials)
    for number, trial in enumerate(trials, first):
        problem = _problem_of(trial, number, objectives, total)
        if problem:
            raise StorageDamaged(
                f"somebody else wrote a trial {trial.number} into the study {key} in the storage ({problem}); mend or "
                "delete it there, or start a new study"
            )
    return trials


def _problem_of(trial: FrozenTrial, number: int, objectives: int, total: int) -> str:
    """Return what of a trial is not as this project writes it; people can write anything into Optuna's tables."""
    if trial.number != number:
        return f"it should be trial {number}"
    if trial.state is TrialState.WAITING or trial.datetime_start is None:
        return "it has not been started"
    if trial.state.is_finished() and trial.datetime_complete is None:
        return "it ended at no time"
    values = trial.values or []
    is_right_count = len(values) == objectives or (not values and trial.state is not TrialState.COMPLETE)
    if not is_right_count or not all(map(math.isfinite, values)):
        return f"its values are {values}"
    try:
        told_after = trial_attributes(trial.user_attrs).told_after
        lineage_of(trial)
    except Unreadable as problem:
        return str(problem)
    if told_after > total:  # no trial would ever learn of it, and a strategy would wait for ever
        return f"`{TOLD_AFTER}` is {told_after}, and there are {total} trials"
    return ""


_ODD = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    StopIteration,
    TypeError,
    ValueError,
)
"""What comes of records that are not as they should be."""


@contextmanager
def readable(key: StudyKey) -> Iterator[None]:
    """Let whatever is odd in a study's records be this study's problem, in words for people."""
    try:
        yield
    except _ODD as error:
        raise StorageDamaged(
            f"the storage's records of the study {key} are not as this version writes them: "
            f"{' '.join(str(error).split()) or type(error).__name__}; mend them there, restore a backup, or start a "
            "new study"
        ) from error
