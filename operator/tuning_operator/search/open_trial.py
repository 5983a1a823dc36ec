"""An open trial in memory: its newest attempt and what its runs have reported so far."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from tuning_contract import FinalState, Report, TrialEnd
from tuning_contract.environment import ParameterValue
from tuning_operator.api.metric_constraints import MetricConstraint
from tuning_operator.api.study import Objective
from tuning_operator.decisions.run_values import mean_of
from tuning_operator.decisions.stray_jobs import fingerprint_of
from tuning_operator.decisions.trials import (
    NO_EARLIER_ATTEMPTS,
    NO_LINEAGE,
    NO_POD_TIME,
    EarlierAttempts,
    Lineage,
    MuteRun,
    OpenTrial,
    PodTime,
)
from tuning_operator.errors import TooManySteps
from tuning_operator.search.curve import Curve, Standing
from tuning_operator.search.mean_curve import MeanCurve
from tuning_operator.search.run_progress import NewReports, RunProgress

MAX_METRICS = 64
"""Names of metrics that are kept of a trial; they are there to help people who misspelt the objective."""

MAX_STEPS = 100_000
"""Steps that are kept of a trial, over its runs: they are in memory while it runs, and the objective's for as long as
its study is open. A step takes some 200 bytes."""


NO_PARAMETERS: Mapping[str, ParameterValue] = MappingProxyType({})


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
        runs: int = 1,
        named: Mapping[str, ParameterValue] = NO_PARAMETERS,
    ) -> None:
        """`named` are parameters that its code has named: they are not in its Job."""
        self.number = number
        self.trial_id = trial_id
        self.objectives = objectives
        self.constraints = constraints
        self.attempt = attempt
        self.earlier = earlier
        self.pod_time = NO_POD_TIME
        self.runs = tuple(RunProgress(objectives, constraints) for _ in range(runs))
        """Its repeats and folds."""
        self._mean = MeanCurve(objectives[0], self.runs) if runs > 1 else None
        self.end: TrialEnd | None = None
        """How the newest attempt ended, once all its runs said so, or one that it failed."""
        self.prune_decided_at: float | None = None
        self.undecided: list[Standing] = []
        """How the trial stood after each value that no pruning decision was made on."""
        self.undecided_runs: list[Mapping[int, float]] = []
        """The values of its complete runs, of several, after each that no pruning decision was made on."""
        self.rungs = dict(rungs or {})
        """The value at each rung that the trial has come to, by the rung's step, of any attempt."""
        self.lock = asyncio.Lock()
        self._parameters = {**parameters, **named}
        self._fingerprint = fingerprint_of(parameters)
        self._seed = seed
        self._lineage = lineage
        self._asked_at = asked_at
        self._metrics: set[str] = set()
        self._first_report_at: float | None = None
        self._last_report_at: float | None = None
        self._last_heard_at: float | None = None
        """When a run of the newest attempt reported or ended last."""
        self._view: OpenTrial | None = None

    @property
    def curve(self) -> Curve:
        """The first objective as pruners may look at it, who can't compare trials by several."""
        return self.runs[0].curve if self._mean is None else self._mean.judged

    @property
    def is_finite(self) -> bool:
        """Whether all objectives are, as far as they were reported."""
        return all(run.is_finite for run in self.runs)

    @property
    def has_reported(self) -> bool:
        """Whether the newest attempt has reported."""
        return any(run.has_reported for run in self.runs)

    @property
    def has_ended(self) -> bool:
        """Whether the newest attempt said that it ended, or it was decided to prune the trial."""
        return self.end is not None or self.prune_decided_at is not None

    @property
    def is_to_stop(self) -> bool:
        """Whether its runs are to stop because it is pruned: that was decided, or one of them said it of itself."""
        pruned_itself = (run.end is not None and run.end.state is FinalState.PRUNED for run in self.runs)
        return self.prune_decided_at is not None or any(pruned_itself)

    @property
    def has_stopped(self) -> bool:
        """Whether it is to stop, and of several runs none goes on that has reported."""
        is_idle = all(run.end is not None or not run.has_reported for run in self.runs)
        return self._mean is not None and is_idle and (self.is_to_stop or not self.is_finite)

    def values_by_step(self) -> dict[int, float]:
        """Return the objective by step, the mean over the runs that have reported it; of several, Optuna has none."""
        if len(self.objectives) > 1:
            return {}
        return self.runs[0].curve.values() if self._mean is None else self._mean.values()

    def run_values(self) -> dict[int, float]:
        """Return the first objective of each run that has any; none where there are not several."""
        return {} if self._mean is None else self._values(complete=False)

    def complete_run_values(self) -> dict[int, float]:
        """Return the first objective of each run that came to its end; none where there are not several."""
        return {} if self._mean is None else self._values(complete=True)

    def start(self, attempt: int, earlier: EarlierAttempts) -> None:
        """Let a new attempt follow the earlier ones."""
        self.attempt = attempt
        self.earlier = earlier
        self.pod_time = NO_POD_TIME
        self.end = None
        is_another = attempt == earlier.first  # what came before was another trial's
        for run in self.runs:
            run.start(afresh=is_another)
        if is_another:
            self._mean = None if self._mean is None else MeanCurve(self.objectives[0], self.runs)
            self.prune_decided_at = None
            self.undecided.clear()
        self.undecided_runs.clear()
        self._metrics.clear()
        self._first_report_at = self._last_report_at = self._last_heard_at = None
        self._view = None

    def forget_undecided(self) -> None:
        """Take note that the pruner has decided on all that came in."""
        self.undecided.clear()
        self.undecided_runs.clear()

    def accept_parameter(self, name: str, value: ParameterValue) -> None:
        """Take a parameter that its code has named."""
        self._parameters = {**self._parameters, name: value}
        self._view = None

    def keep_pod_time(self, time: PodTime) -> None:
        """Take what is stored of the newest attempt's pods."""
        self.pod_time = time
        self._view = None

    def sift(self, reports: Iterable[Report], *, run: int = 0, afresh: bool = False) -> NewReports:
        """Return what a batch of a run's reports adds; `afresh`: its container began anew with them."""
        return self.runs[run].sift(reports, afresh=afresh)

    def changes(self, new: NewReports, *, run: int = 0) -> tuple[Mapping[int, float], Sequence[int]]:
        """Return what these reports, still to be taken, change of the only objective: its values by step, and the
        steps whose earlier values go."""
        if len(self.objectives) > 1:
            return {}, ()
        if self._mean is None:
            return new.values[self.objectives[0].metric], new.stale_steps
        return self._mean.changes(self.runs[run], new)

    def check_room(self, new: NewReports, *, run: int = 0) -> None:
        """Raise `TooManySteps` when there is no room for a run's reports."""
        others = sum(other.kept for index, other in enumerate(self.runs) if index != run)
        if new.reports and others + self.runs[run].kept_after(new) > MAX_STEPS:
            raise TooManySteps(
                f"a trial may report at most {MAX_STEPS:,} steps; report less often, for example once an epoch"
            )

    def accept(self, new: NewReports, first_at: float, last_at: float, *, run: int = 0) -> None:
        """Take a run's reports that are stored."""
        if new.afresh_from is not None:
            self.runs[run].forget_from(new.afresh_from)
            if not self.has_reported:
                self._metrics.clear()
                self._first_report_at = None
        standings = self.runs[run].accept(new, last_at)
        if self._mean is not None:
            standings = self._mean.advance({*new.values[self.objectives[0].metric], *new.stale_steps})
        self.undecided += standings
        self._keep_metrics(new.reports)
        if self._first_report_at is None:
            self._first_report_at = first_at
        self._last_report_at = last_at if self._last_report_at is None else max(last_at, self._last_report_at)
        self._hear(last_at)
        self._view = None

    def accept_end(self, end: TrialEnd, at: float, *, run: int = 0) -> None:
        """Take the last message of a run of the newest attempt, and when it came; the first one counts."""
        ended = self.runs[run]
        if ended.end is not None:
            return
        ended.end = end
        self._hear(at)
        if self._mean is not None:
            self.undecided += self._mean.advance()
            if ended.is_complete:
                self.undecided_runs.append(self._values(complete=True))
        if self.end is None:
            self.end = self._common_end(end, run)
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
                silent_since=self._silent_since(),
                last_step=max((run.last_step for run in self.runs if run.last_step is not None), default=None),
                metrics=tuple(sorted(self._metrics)),
                value=self._value(self.objectives[0].metric),
                further=self._further(),
                run_values=self.run_values(),
                mute_run=self._mute_run(),
                has_stopped=self.has_stopped,
                prune_decided_at=self.prune_decided_at,
                end=self.end,
            )
        return self._view

    def _value(self, metric: str) -> float | None:
        """Return an objective: the mean of the runs that have reported it."""
        found = [value for run in self.runs if (value := run.curves[metric].value) is not None]
        return found[0] if len(self.runs) == 1 and found else mean_of(found) if found else None

    def _further(self) -> dict[str, float]:
        """Return the values of all metrics but the first objective; of those that are none, only finite ones."""
        if len(self.runs[0].curves) == 1:
            return {}
        first, *others = (objective.metric for objective in self.objectives)
        values = ((metric, self._value(metric)) for metric in self.runs[0].curves if metric != first)
        known = {metric: value for metric, value in values if value is not None}
        return {metric: value for metric, value in known.items() if metric in others or math.isfinite(value)}

    def _values(self, *, complete: bool) -> dict[int, float]:
        """Return the first objective of each run that has any; `complete`: of those alone that came to their end."""
        runs = ((index, run) for index, run in enumerate(self.runs) if run.is_complete or not complete)
        return {index: value for index, run in runs if (value := run.curve.value) is not None}

    def _hear(self, at: float) -> None:
        self._last_heard_at = at if self._last_heard_at is None else max(at, self._last_heard_at)

    def _mute_run(self) -> MuteRun | None:
        if self._mean is None:
            return None
        mute = [(run.end is None, index, run.missing) for index, run in enumerate(self.runs) if run.missing]
        return MuteRun(*min(mute)[1:]) if mute else None

    def _silent_since(self) -> float | None:
        if self._mean is None or self._last_heard_at is None:
            return None
        heard = (run.last_report_at for run in self.runs if run.end is None)
        return min((self._last_heard_at if at is None else at for at in heard), default=None)

    def _common_end(self, end: TrialEnd, run: int) -> TrialEnd | None:
        """Return how the attempt ended when a run just has; None: other runs go on."""
        if self._mean is None:
            return end
        if end.state is FinalState.FAILED:
            return TrialEnd(end.state, f"run {run}: {end.message}" if end.message else f"run {run} failed")
        if end.state is FinalState.COMPLETE and self.runs[run].missing:
            return end  # whatever the others find, there is no mean
        ends = [each.end for each in self.runs if each.end is not None]
        if len(ends) < len(self.runs):
            return None
        pruned = any(each.state is FinalState.PRUNED for each in ends)
        return TrialEnd(FinalState.PRUNED if pruned else FinalState.COMPLETE)

    def _keep_metrics(self, reports: Sequence[Report]) -> None:
        for report in reports:
            if len(self._metrics) + len(report.values) <= MAX_METRICS:
                self._metrics.update(report.values)
