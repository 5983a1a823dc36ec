"""One run of an open trial in memory: what its newest attempt has reported, and what counts over all attempts."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tuning_contract import FinalState, Report, TrialEnd
from tuning_operator.api.metric_constraints import MetricConstraint
from tuning_operator.api.study import Direction, Objective
from tuning_operator.search.curve import Curve, Standing


@dataclass(frozen=True)
class NewReports:
    """What a batch adds to a run."""

    reports: tuple[Report, ...]
    """Those whose step was not reported before, each step once."""
    values: Mapping[str, Mapping[int, float]]
    """Each objective by step, where reported, and other metrics that have a constraint."""
    stale_steps: Sequence[int]
    """Steps whose earlier values these replace."""
    afresh_from: int | None = None
    """The attempt's own reports of this step and later ones go too, for its container began anew; None: it did not."""


class RunProgress:
    """A repeat or fold of a trial; all of it where it has only one run."""

    def __init__(self, objectives: Sequence[Objective], constraints: Sequence[MetricConstraint] = ()) -> None:
        self._objectives = objectives
        self._constraints = constraints
        self._restart()
        self.end: TrialEnd | None = None
        """The last message of the newest attempt."""
        self.last_step: int | None = None
        """The newest attempt's largest reported step."""
        self.last_report_at: float | None = None
        """When the newest attempt reported last."""
        self._inherited: list[int] = []
        """Steps with a value of an earlier attempt, ascending."""
        self._steps: set[int] = set()

    @property
    def curve(self) -> Curve:
        """The first objective."""
        return self.curves[self._objectives[0].metric]

    @property
    def has_reported(self) -> bool:
        """Whether the newest attempt has reported."""
        return bool(self._steps)

    @property
    def missing(self) -> tuple[str, ...]:
        """The objectives that were never reported."""
        metrics = (objective.metric for objective in self._objectives)
        return tuple(metric for metric in metrics if self.curves[metric].value is None)

    @property
    def is_finite(self) -> bool:
        """Whether all objectives are, as far as they were reported."""
        return all(self.curves[objective.metric].is_finite for objective in self._objectives)

    @property
    def is_complete(self) -> bool:
        """Whether the newest attempt said that it came to its end."""
        return self.end is not None and self.end.state is FinalState.COMPLETE

    @property
    def kept(self) -> int:
        """How many steps are kept of it."""
        return len(self._steps) + len(self._inherited)

    def start(self, *, afresh: bool) -> None:
        """Let a new attempt follow; `afresh`: what came before was another trial's."""
        self.end = None
        if afresh:
            self._restart()
        self._inherited = self._steps_with_values()
        self._steps.clear()
        self.last_step = self.last_report_at = None

    def sift(self, reports: Iterable[Report], *, afresh: bool = False) -> NewReports:
        """Return what a batch of the newest attempt's reports adds; `afresh`: its container began anew with them."""
        new: dict[int, Report] = {}
        for report in reports:
            if afresh or report.step not in self._steps:
                new.setdefault(report.step, report)
        earlier = self._steps_with_values() if afresh else self._inherited
        return NewReports(
            reports=tuple(new.values()),
            values={
                metric: {step: report.values[metric] for step, report in new.items() if metric in report.values}
                for metric in self.curves
            },
            stale_steps=earlier[bisect_left(earlier, min(new)) :] if new else (),
            afresh_from=min(new) if new and afresh else None,
        )

    def kept_after(self, new: NewReports) -> int:
        """Return how many steps will be kept of it with these reports."""
        if new.afresh_from is None:
            return self.kept - len(new.stale_steps) + len(new.reports)
        return sum(step < new.afresh_from for step in (*self._steps, *self._inherited)) + len(new.reports)

    def accept(self, new: NewReports, at: float) -> list[Standing]:
        """Take reports that are stored; return how the run stood after each value of the first objective."""
        if new.stale_steps:
            for curve in self.curves.values():
                curve.remove(new.stale_steps)
            del self._inherited[bisect_left(self._inherited, new.stale_steps[0]) :]
        standings: list[Standing | None] = []
        for metric, curve in self.curves.items():
            for step, value in sorted(new.values[metric].items()):
                curve.add({step: value})
                standings += [curve.standing] if curve is self.curve else []
        steps = [report.step for report in new.reports]
        self._steps.update(steps)
        self.last_step = max(steps if self.last_step is None else [self.last_step, *steps])
        self.last_report_at = at
        return [standing for standing in standings if standing is not None]

    def forget_from(self, first: int) -> None:
        """Forget that the newest attempt reported a step and later ones; without any it has not reported at all."""
        self._steps = {step for step in self._steps if step < first}
        self.last_step = max(self._steps, default=None)

    def _restart(self) -> None:
        constrained = (Objective(metric=each.metric, direction=Direction.MINIMIZE) for each in self._constraints)
        self.curves = {of.metric: Curve(of) for of in (*constrained, *self._objectives)}
        """What was reported of each metric that counts; a newer attempt replaces the steps at or after its first."""

    def _steps_with_values(self) -> list[int]:
        return sorted(set().union(*(curve.steps for curve in self.curves.values())))
