"""An open trial in memory: its newest attempt and what was reported so far."""

from __future__ import annotations

import asyncio
import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tuning_contract import Report, TrialEnd
from tuning_contract.environment import ParameterValue
from tuning_operator.api.metric_constraints import MetricConstraint
from tuning_operator.api.study import Direction, Objective
from tuning_operator.decisions.snapshot import (
    NO_EARLIER_ATTEMPTS,
    NO_LINEAGE,
    EarlierAttempts,
    Lineage,
    OpenTrial,
    PodTime,
)
from tuning_operator.decisions.stray_jobs import fingerprint_of
from tuning_operator.errors import TooManySteps
from tuning_operator.search.curve import Curve, Standing

MAX_METRICS = 64
"""Names of metrics that are kept of a trial; they are there to help people who misspelt the objective."""

MAX_STEPS = 100_000
"""Steps that are kept of a trial: they are in memory while it runs, and the objective's for as long as its study is
open. A step takes some 200 bytes."""


@dataclass(frozen=True)
class NewReports:
    """What a batch adds to a trial."""

    reports: tuple[Report, ...]
    """Those whose step was not reported before, each step once."""
    values: Mapping[str, Mapping[int, float]]
    """Each objective by step, where reported, and other metrics that have a constraint."""
    stale_steps: Sequence[int]
    """Steps whose earlier values these replace."""
    afresh_from: int | None = None
    """The attempt's own reports of this step and later ones go too, for its container began anew; None: it did not."""


class TrialProgress:
    """An open trial. Whoever changes it holds `lock`, across the commit of the change."""

    def __init__(
        self,
        number: int,
        trial_id: int,
        objectives: Sequence[Objective],
        parameters: Mapping[str, ParameterValue],
        seed: int,
        asked_at: float,
        attempt: int = 1,
        earlier: EarlierAttempts = NO_EARLIER_ATTEMPTS,
        rungs: Mapping[int, float] | None = None,
        lineage: Lineage = NO_LINEAGE,
        constraints: Sequence[MetricConstraint] = (),
    ) -> None:
        self.number = number
        self.trial_id = trial_id
        self.objectives = objectives
        self.constraints = constraints
        self.attempt = attempt
        self.earlier = earlier
        self.pod_time = PodTime()
        self._restart()
        self.end: TrialEnd | None = None
        self.prune_decided_at: float | None = None
        self.undecided: list[Standing] = []
        """How the trial stood after each value that no pruning decision was made on."""
        self.rungs = dict(rungs or {})
        """The value at each rung that the trial has come to, by the rung's step, of any attempt."""
        self.lock = asyncio.Lock()
        self._parameters = parameters
        self._fingerprint = fingerprint_of(parameters)
        self._seed = seed
        self._lineage = lineage
        self._asked_at = asked_at
        self._inherited: list[int] = []
        """Steps with a value of an earlier attempt, ascending."""
        self._steps: set[int] = set()
        self._last_step: int | None = None
        self._metrics: set[str] = set()
        self._first_report_at: float | None = None
        self._last_report_at: float | None = None
        self._view: OpenTrial | None = None

    @property
    def curve(self) -> Curve:
        """The first objective: what pruners look at, who can't compare trials by several."""
        return self._first

    @property
    def is_finite(self) -> bool:
        """Whether all objectives are, as far as they were reported."""
        return all(self._curves[objective.metric].is_finite for objective in self.objectives)

    @property
    def has_reported(self) -> bool:
        """Whether the newest attempt has reported."""
        return bool(self._steps)

    @property
    def has_ended(self) -> bool:
        """Whether the newest attempt said that it ended, or it was decided to prune the trial."""
        return self.end is not None or self.prune_decided_at is not None

    def start(self, attempt: int, earlier: EarlierAttempts) -> None:
        """Let a new attempt follow the earlier ones."""
        self.attempt = attempt
        self.earlier = earlier
        self.pod_time = PodTime()
        self.end = None
        if attempt == earlier.first:  # what came before was another trial's
            self._restart()
            self.prune_decided_at = None
            self.undecided.clear()
        self._inherited = self._steps_with_values()
        self._steps.clear()
        self._last_step = None
        self._metrics.clear()
        self._first_report_at = self._last_report_at = None
        self._view = None

    def keep_pod_time(self, time: PodTime) -> None:
        """Take what is stored of the newest attempt's pods."""
        self.pod_time = time
        self._view = None

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
                for metric in self._curves
            },
            stale_steps=earlier[bisect_left(earlier, min(new)) :] if new else (),
            afresh_from=min(new) if new and afresh else None,
        )

    def check_room(self, new: NewReports) -> None:
        """Raise `TooManySteps` when there is no room for reports."""
        if new.afresh_from is None:
            kept = len(self._steps) + len(self._inherited) - len(new.stale_steps)
        else:
            kept = sum(step < new.afresh_from for step in (*self._steps, *self._inherited))
        if new.reports and kept + len(new.reports) > MAX_STEPS:
            raise TooManySteps(
                f"a trial may report at most {MAX_STEPS:,} steps; report less often, for example once an epoch"
            )

    def accept(self, new: NewReports, first_at: float, last_at: float) -> None:
        """Take reports that are stored."""
        if new.afresh_from is not None:
            self._forget_from(new.afresh_from)
        if new.stale_steps:
            for curve in self._curves.values():
                curve.remove(new.stale_steps)
            del self._inherited[bisect_left(self._inherited, new.stale_steps[0]) :]
        for metric, curve in self._curves.items():
            for step, value in sorted(new.values[metric].items()):
                curve.add({step: value})
                if curve is self._first:
                    self.undecided += filter(None, [curve.standing])
        steps = [report.step for report in new.reports]
        self._steps.update(steps)
        self._last_step = max(steps if self._last_step is None else [self._last_step, *steps])
        self._keep_metrics(new.reports)
        if self._first_report_at is None:
            self._first_report_at = first_at
        self._last_report_at = last_at
        self._view = None

    def accept_end(self, end: TrialEnd) -> None:
        """Take the newest attempt's last message; the first one counts."""
        if self.end is None:
            self.end = end
            self._view = None

    def accept_prune_decision(self, decided_at: float) -> None:
        """Take the decision to prune."""
        self.prune_decided_at = decided_at
        self._view = None

    def view(self) -> OpenTrial:
        """Return the trial as the engine sees it."""
        if self._view is None:
            self._view = OpenTrial(
                number=self.number,
                parameters=self._parameters,
                fingerprint=self._fingerprint,
                attempt=self.attempt,
                earlier=self.earlier,
                pod_time=self.pod_time,
                seed=self._seed,
                lineage=self._lineage,
                asked_at=self._asked_at,
                first_report_at=self._first_report_at,
                last_report_at=self._last_report_at,
                last_step=self._last_step,
                metrics=tuple(sorted(self._metrics)),
                value=self._first.value,
                further=self._further(),
                prune_decided_at=self.prune_decided_at,
                end=self.end,
            )
        return self._view

    def _restart(self) -> None:
        constrained = (Objective(metric=each.metric, direction=Direction.MINIMIZE) for each in self.constraints)
        self._curves = {of.metric: Curve(of) for of in (*constrained, *self.objectives)}
        """What was reported of each metric that counts; a newer attempt replaces the steps at or after its first."""
        self._first = self._curves[self.objectives[0].metric]

    def _steps_with_values(self) -> list[int]:
        return sorted(set().union(*(curve.steps for curve in self._curves.values())))

    def _further(self) -> dict[str, float]:
        """Return the values of all metrics but the first objective; of those that are none, only finite ones."""
        if len(self._curves) == 1:
            return {}
        values = {metric: curve.value for metric, curve in self._curves.items() if curve is not self._first}
        objectives = {objective.metric for objective in self.objectives}
        known = {metric: value for metric, value in values.items() if value is not None}
        return {metric: value for metric, value in known.items() if metric in objectives or math.isfinite(value)}

    def _forget_from(self, first: int) -> None:
        """Forget that the newest attempt reported a step and later ones; without any it has not reported at all."""
        self._steps = {step for step in self._steps if step < first}
        self._last_step = max(self._steps, default=None)
        if not self._steps:
            self._metrics.clear()
            self._first_report_at = None

    def _keep_metrics(self, reports: Sequence[Report]) -> None:
        for report in reports:
            if len(self._metrics) + len(report.values) <= MAX_METRICS:
                self._metrics.update(report.values)
