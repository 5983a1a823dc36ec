"""Which enqueued trials a study will not come to."""

from __future__ import annotations

import sys

from tuning_operator.api.strategies import RegularizedEvolutionOptions
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.schedule import schedule_of


def planned_enqueued(spec: StudySpec) -> int:
    """Return how many of the enqueued trials are run, from the first on, when nothing ends the study early.

    It may be some more: evolution replaces trials that failed, and Hyperband begins a bracket while it has to wait.
    """
    count = len(spec.search.enqueue)
    return min(count, _new_configurations(spec, spec.max_trials)) if count else 0


def warnings_of_enqueued(spec: StudySpec) -> list[str]:
    """Return a sentence where some of the enqueued trials are not to be run."""
    count, planned = len(spec.search.enqueue), planned_enqueued(spec)
    if planned == count:
        return []
    name, possible = spec.search.sampler.name.value, _new_configurations(spec, sys.maxsize)
    why, what = f"{name} begins only {planned} with new parameters", ""
    if planned < possible:
        why, what = f"`maxTrials` is {spec.max_trials}", "raise that, or " if count <= possible else ""
    if count - planned == 1:
        return [f"`search.enqueue[{planned}]` is not planned to be run, for {why}; {what}remove it"]
    left = f"`search.enqueue[{planned}]` to `search.enqueue[{count - 1}]`"
    return [f"{left} are not planned to be run, for {why}; {what}remove them"]


def _new_configurations(spec: StudySpec, most: int) -> int:
    """Return how many of so many trials begin with parameters of no other trial: the first of them are the enqueued."""
    options = spec.search.sampler.parsed_options()
    schedule = schedule_of(options)
    if schedule is not None:
        return schedule.cut(most).configurations
    if isinstance(options, RegularizedEvolutionOptions):
        return min(most, options.population_size)
    return most
