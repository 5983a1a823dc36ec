"""What a study will cost, before it is paid."""

from __future__ import annotations

from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.schedule import schedule_of

MANY = 10_000
"""Trainings above which a study is warned of its cost: few are meant, and each is at least a pod."""


def planned_trials(spec: StudySpec, size: int | None = None) -> int:
    """Return how many trials a study has when nothing ends it early; `size` is how many its search can have, if that is
    known."""
    schedule = schedule_of(spec.search.sampler.parsed_options())
    bounds = (spec.max_trials, size, None if schedule is None else schedule.trials)
    return min(bound for bound in bounds if bound is not None)


def planned_trainings(spec: StudySpec, size: int | None = None) -> int:
    """Return how many trainings that takes, each a pod; retries come on top."""
    return planned_trials(spec, size) * spec.trial.runs


def planned_epochs(spec: StudySpec) -> int | None:
    """Return how many epochs (steps) a strategy lays down for them all together; None: results lead the search."""
    schedule = schedule_of(spec.search.sampler.parsed_options())
    return None if schedule is None else schedule.cut(spec.max_trials).steps * spec.trial.runs


def warnings_of_cost(spec: StudySpec, size: int | None = None) -> list[str]:
    """Return a sentence where a study is unusually expensive."""
    planned = planned_trainings(spec, size)
    if planned <= MANY:
        return []
    factors = [(planned_trials(spec, size), "trials"), (spec.trial.repeats, "repeats"), (spec.trial.folds, "folds")]
    product = " x ".join(f"{count:,} {what}" for count, what in factors if count > 1)
    return [f"{planned:,} trainings are planned ({product}); lower one of them if that is more than was meant"]
