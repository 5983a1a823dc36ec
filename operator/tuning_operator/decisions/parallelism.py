"""How many trials may start now."""

from __future__ import annotations

from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.history import History


def free_slots(spec: StudySpec, occupied: int, room: int | None = None) -> int:
    """Return how many Jobs may be created beside those that are there; lowering `parallelism` never kills.

    `room` limits what runs, and nothing else: what a trial is suggested with follows from `parallelism` on any machine.
    """
    at_once = spec.parallelism if room is None else min(spec.parallelism, room)
    return max(0, at_once - occupied)


def trials_to_ask(spec: StudySpec, history: History, slots: int) -> int:
    """Return how many new trials fill the slots without exceeding `maxTrials`.

    In a deterministic study trial n waits until all up to n - `parallelism` have ended: their results, and no others,
    are what it is suggested with (`search/horizon.py`), whichever end first.
    """
    last = spec.max_trials
    if spec.search.deterministic:
        last = min(last, min((trial.number for trial in history.open), default=history.total) + spec.parallelism)
    return max(0, min(slots, last - history.total))
