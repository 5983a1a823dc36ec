"""What a strategy will do, before it is run. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.planned_trainings import planned_epochs
from tuning_operator.decisions.schedule import Round, Schedule, schedule_of

_MOST_ROUNDS = 8
"""Of a row with more, some in the middle are left out."""


def schedule_document(spec: StudySpec) -> dict[str, Any]:
    """Return a strategy's rounds as JSON; steps are usually epochs."""
    schedule = _schedule(spec)
    if schedule is None:
        return {}
    rows = [[asdict(each) for each in row] for row in schedule.rows]
    return {
        "schedule": {"trials": schedule.trials, "steps": schedule.steps, "rows": rows, "times": schedule.times},
        "plannedEpochs": planned_epochs(spec),
    }


def schedule_facts(spec: StudySpec) -> dict[str, str]:
    """Return a strategy's rounds for people."""
    schedule = _schedule(spec)
    if schedule is None:
        return {}
    rows = [_row_text(row) for row in schedule.rows]
    times = [f"x {schedule.times:,}"] if schedule.times > 1 else []
    totals = [f"{schedule.trials:,} trials with {schedule.steps:,} steps (epochs) in all"]
    if spec.max_trials < schedule.trials:
        cut = schedule.cut(spec.max_trials)
        about = "about " if spec.parallelism > 1 and len(schedule.rows) > 1 else ""  # a bracket waits for no other one
        totals.append(f"maxTrials ends it after {cut.trials:,} trials with {about}{cut.steps:,} steps")
    if spec.trial.runs > 1:
        totals.append(f"{planned_epochs(spec):,} steps with {spec.trial.runs} runs of each trial")
    return {"schedule": "\n".join([*rows, *times, *totals])}


def _schedule(spec: StudySpec) -> Schedule | None:
    return schedule_of(spec.search.sampler.parsed_options())


def _row_text(row: Sequence[Round]) -> str:
    texts = [f"{each.trials:,} to {each.steps:,}" for each in row]
    if len(texts) > _MOST_ROUNDS:
        texts[_MOST_ROUNDS - 3 : -2] = ["…"]
    return ", ".join(texts)
