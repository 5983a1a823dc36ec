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
    """Return how many new trials fill the slots without exceeding what the study may have by now."""
    return max(0, min(slots, most_trials(spec, history) - history.total))


def most_trials(spec: StudySpec, history: History) -> int:
    """Return how many trials a study may have by now: `maxTrials`, but of a deterministic one.

    There trial n waits until all up to n - `parallelism` have ended: their results, and no others, are what it is
    suggested with (`search/horizon.py`), whichever end first. And they alone decide whether it is tried: after the one
    that ends the study come those that did not have to wait for it, and no others.
    """
    if not spec.search.deterministic:
        return spec.max_trials
    awaited = min((trial.number for trial in history.open), default=history.total)
    if history.in_order is not None and history.in_order.stop is not None:
        awaited = history.in_order.stop
    return min(spec.max_trials, awaited + spec.parallelism)
