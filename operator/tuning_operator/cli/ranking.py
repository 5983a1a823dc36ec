"""Which trials are the best of those that are shown. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tuning_operator.api.metric_constraints import MetricConstraint
from tuning_operator.api.study import Objective
from tuning_operator.cli.trial_rows import COMPLETE, TrialRow
from tuning_operator.decisions.feasibility import violation_of
from tuning_operator.decisions.front import Losses, losses_of
from tuning_operator.decisions.tally import Tally
from tuning_operator.decisions.trial_value import known_values, objective_values
from tuning_operator.decisions.trials import EndState, FinishedTrial


@dataclass(frozen=True)
class Aims:
    """What makes a trial good; no objectives: the spec can't be read."""

    objectives: Sequence[Objective] = ()
    constraints: Sequence[MetricConstraint] = ()

    @property
    def are_several(self) -> bool:
        """Whether there is a front instead of a best trial."""
        return len(self.objectives) > 1

    @property
    def further(self) -> list[str]:
        """The metrics that count beside the first objective."""
        metrics = [*(of.metric for of in self.objectives), *(of.metric for of in self.constraints)]
        return list(dict.fromkeys(metrics))[1:]


NO_AIMS = Aims()


def best_first(rows: Iterable[TrialRow], aims: Aims) -> list[TrialRow]:
    """Return the complete trials with a value, the best first, of equal ones the earlier.

    Of several objectives only those on the front, the best in the first objective first.
    """
    complete = [row for row in rows if row.state == COMPLETE and row.value is not None]
    if aims.are_several:
        return _on_front(complete, aims)
    return sorted(complete, key=lambda row: (*_rank(row, aims), row.number)) if aims.objectives else []


def is_feasible(row: TrialRow, aims: Aims) -> bool:
    """Return whether a trial keeps the bounds of metrics."""
    return _violation(row, aims) == 0


def _on_front(rows: Sequence[TrialRow], aims: Aims) -> list[TrialRow]:
    by_number = {row.number: row for row in rows}
    tally = Tally(aims.objectives, aims.constraints)
    tally.add_all(trial for trial in map(_finished, rows) if _has_all(trial, aims))
    return [by_number[member.trial.number] for member in tally.front.members]


def _rank(row: TrialRow, aims: Aims) -> tuple[float, Losses]:
    values = objective_values(_finished(row), aims.objectives).values()
    return _violation(row, aims), losses_of([*values], aims.objectives)


def _violation(row: TrialRow, aims: Aims) -> float:
    return violation_of(known_values(_finished(row), aims.objectives), aims.constraints)


def _has_all(trial: FinishedTrial, aims: Aims) -> bool:
    return len(objective_values(trial, aims.objectives)) == len(aims.objectives)


def _finished(row: TrialRow) -> FinishedTrial:
    return FinishedTrial(
        row.number,
        EndState.COMPLETE,
        {},
        row.value,
        "",
        "",
        attempt=1,
        ended_at=0,
        running_seconds=0,
        further=row.further,
    )
