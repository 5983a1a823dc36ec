"""How many trials may start now."""

from __future__ import annotations

from tuning_operator.api.study import StudySpec


def free_slots(spec: StudySpec, occupied: int) -> int:
    """Return how many Jobs may be created beside those that are there; lowering `parallelism` never kills."""
    return max(0, spec.parallelism - occupied)


def trials_to_ask(spec: StudySpec, asked: int, slots: int) -> int:
    """Return how many new trials fill the slots without exceeding `maxTrials`."""
    return max(0, min(slots, spec.max_trials - asked))
