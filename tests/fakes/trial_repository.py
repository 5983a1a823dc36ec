"""Studies' histories in memory, without Optuna."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from tests.builders import STUDY
from tests.fakes.clock import FakeClock
from tuning_contract import FinalState, Report, ReportBatch, ReportReply, TrialEnd
from tuning_contract.environment import ParameterValue
from tuning_contract.parameters import MAX_NAMED_PARAMETERS
from tuning_operator.api.named_parameters import NamedParameter
from tuning_operator.api.parameters import Parameter, ParameterType
from tuning_operator.api.study import Direction, Reduce, StudySpec
from tuning_operator.decisions.history import ActiveTime, History
from tuning_operator.decisions.late_words import still_holds, with_all_reports
from tuning_operator.decisions.retrying import put_off
from tuning_operator.decisions.run_values import mean_of
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.decisions.stray_jobs import fingerprint_of
from tuning_operator.decisions.tally import Tally
from tuning_operator.decisions.trial_value import reduce_values
from tuning_operator.decisions.trials import (
    NO_LINEAGE,
    EarlierAttempts,
    EndState,
    FinishedTrial,
    Lineage,
    MuteRun,
    OpenTrial,
    PodTime,
)
from tuning_operator.errors import InvalidStudy, NotFound, ParameterRefused, SearchFailed
from tuning_operator.ports import (
    NO_ATTEMPTS,
    Clock,
    KeptPodTime,
    NewAttempt,
    Outcome,
    ReportAnswer,
    StoredReport,
)


def suggestion(parameter: Parameter, number: int) -> ParameterValue:
    """Return a value that walks through the parameter's range as trials go on."""
    if parameter.type is ParameterType.FIXED:
        assert parameter.value is not None
        return parameter.value
    if parameter.type is ParameterType.CATEGORICAL:
        assert parameter.choices is not None
        return parameter.choices[number % len(parameter.choices)]
    assert parameter.low is not None
    assert parameter.high is not None
    step = parameter.step or (1.0 if parameter.type is ParameterType.INT else (parameter.high - parameter.low) / 10)
    points = int((parameter.high - parameter.low) / step + 1e-9) + 1 if step else 1
    value = parameter.low + step * (number % points)
    return round(value) if parameter.type is ParameterType.INT else value


def _kind_of(parameter: Parameter) -> str:
    if parameter.type is ParameterType.CATEGORICAL:
        return "a Categorical"
    kind = "a Float" if parameter.type is ParameterType.FLOAT else "an Int"
    return f"{kind} on a {parameter.scale or 'Linear'} scale"


@dataclass
class _Trial:
    """Everything about one trial."""

    open: OpenTrial
    reports: dict[tuple[int, int, int], StoredReport] = field(default_factory=dict)
    """By attempt, run and step, in the order of arrival."""
    ends: dict[int, TrialEnd] = field(default_factory=dict)
    """Last messages of the newest attempt, by run."""
    finished: FinishedTrial | None = None

    def objective_values(self, metric: str, run: int) -> dict[int, float]:
        """Return a run's objective by step; a newer attempt replaces the steps from its first on."""
        values: dict[int, float] = {}
        mine = {(of, step): report for (of, by, step), report in self.reports.items() if by == run}
        for attempt in sorted({attempt for attempt, _ in mine if attempt >= self.open.earlier.first}):
            steps = {step: report.values for (of, step), report in mine.items() if of == attempt}
            kept = {step: value for step, value in values.items() if step < min(steps)}
            values = kept | {step: reported[metric] for step, reported in steps.items() if metric in reported}
        return values


class FakeTrialRepository:
    """Implements `TrialRepository`. Trial i gets the i-th value of each parameter; nothing is pruned by itself."""

    def __init__(self, spec: StudySpec, clock: Clock | None = None, key: StudyKey = STUDY) -> None:
        self.spec = spec
        self.key = key
        self.points: int | None = None
        """How many trials the space has, those enqueued included; None: endlessly many."""
        self.waits = False
        """Whether the search has nothing to propose before another trial has ended."""
        self.lineages: dict[int, Lineage] = {}
        """Where trials will come from, by number."""
        self.prune_on_report: set[int] = set()
        """Trials whose next new report is answered with the decision to prune."""
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        """What happens between a caller's look at the trials and its next word on what becomes of them."""
        self._clock = clock or FakeClock()
        self._trials: list[_Trial] = []
        self._ends: list[FinishedTrial] = []
        self._active: ActiveTime | None = None
        self._errors: list[Exception] = []
        self._named: dict[str, NamedParameter] = {}
        """What code has named, by name."""
        self.trouble = ""
        self.search_failure = ""
        """Why asking for trials fails; empty: it does not."""

    def history(self) -> History:
        """Return the trials, counted anew at each call."""
        started_at = self._trials[0].open.asked_at if self._trials else None
        tally = Tally(self.spec.objectives, self.spec.metric_constraints)
        for trial in self._ends:
            tally.add(trial)
        return History(
            total=len(self._trials),
            open=tuple(self._view(trial) for trial in self._trials if trial.finished is None),
            size=self.points,
            waits=self.waits,
            started_at=started_at,
            active=self._active or ActiveTime(since=started_at),
            **tally.sums(),
        )

    def finished(self, number: int) -> FinishedTrial | None:
        """Return a finished trial."""
        return self._trials[number].finished if 0 <= number < len(self._trials) else None

    def trials(self, after: int, limit: int) -> Sequence[OpenTrial | FinishedTrial]:
        """Return trials by number."""
        return [trial.finished or self._view(trial) for trial in self._trials[after + 1 : after + 1 + limit]]

    def reports(self, number: int) -> Sequence[StoredReport]:
        """Return a trial's reports by attempt and step."""
        reports = self._trials[number].reports if 0 <= number < len(self._trials) else {}
        return [reports[key] for key in sorted(reports)]

    async def ask(self, count: int, first_attempts: Mapping[int, int] = NO_ATTEMPTS) -> Sequence[OpenTrial]:
        """Ask for trials."""
        self._fail()
        if self.search_failure:
            raise SearchFailed(self.search_failure)
        end = len(self._trials) + count if self.points is None else min(len(self._trials) + count, self.points)
        asked = [self._suggest(number, first_attempts.get(number, 1)) for number in range(len(self._trials), end)]
        self._trials.extend(_Trial(trial) for trial in asked)
        return asked

    async def start_attempt(self, new: NewAttempt) -> bool:
        """Let an attempt follow."""
        await self._let_happen()
        trial = self._trials[new.number]
        if new.attempt <= trial.open.attempt or not still_holds(new, self._view(trial)):
            return False
        trial.ends.clear()
        trial.open = replace(
            trial.open,
            attempt=new.attempt,
            earlier=new.earlier,
            pod_time=PodTime(),
            end=None,
            first_report_at=None,
            last_report_at=None,
            prune_decided_at=None if new.attempt == new.earlier.first else trial.open.prune_decided_at,
        )
        return True

    async def keep_active_time(self, active: ActiveTime) -> None:
        """Keep the study's clock."""
        self._fail()
        self._active = active

    async def keep_pod_times(self, times: Sequence[KeptPodTime]) -> None:
        """Keep the time of attempts' pods."""
        self._fail()
        for kept in times:
            trial = self._trials[kept.number]
            if trial.finished is None and trial.open.attempt == kept.attempt:
                trial.open = replace(trial.open, pod_time=kept.time)

    async def tell(self, outcomes: Sequence[Outcome]) -> Set[int]:
        """Let trials end."""
        await self._let_happen()
        overtaken = set()
        for told in outcomes:
            trial = self._trials[told.number]
            if trial.finished is not None:
                continue
            if still_holds(told, self._view(trial)):
                outcome = with_all_reports(told, self._view(trial))
                trial.finished = FinishedTrial(
                    number=outcome.number,
                    state=outcome.state,
                    parameters=trial.open.parameters,
                    value=None if outcome.state is EndState.FAILED else outcome.value,
                    further={} if outcome.state is EndState.FAILED else outcome.further,
                    reason=outcome.reason,
                    message=outcome.message,
                    attempt=trial.open.attempt,
                    ended_at=self._clock.now(),
                    running_seconds=outcome.running_seconds,
                    lineage=trial.open.lineage,
                    run_values=self._view(trial).run_values,
                )
                self._ends.append(trial.finished)
            else:
                overtaken.add(told.number)
        return overtaken

    async def report(
        self, number: int, attempt: int, batch: ReportBatch, *, run: int = 0, afresh: bool = False
    ) -> ReportAnswer:
        """Keep a batch of reports."""
        self._fail()
        if not 0 <= run < self.spec.trial.runs:
            raise NotFound(f"the study's trials have no run {run}")
        if not 0 <= number < len(self._trials) or not 1 <= attempt <= self._trials[number].open.attempt:
            raise NotFound(f"the study has no attempt {attempt} of a trial {number}")
        trial = self._trials[number]
        if trial.finished is not None:
            pruned = trial.finished.state is EndState.PRUNED
            return _stop("Pruned" if pruned else "Ended")
        if attempt < trial.open.attempt:
            return _stop("Superseded")
        if afresh and batch.reports and trial.open.end is None:
            self._forget_from(trial, min(report.step for report in batch.reports))
        return self._keep(trial, run, batch, afresh)

    async def choose_parameter(self, number: int, attempt: int, parameter: NamedParameter) -> ParameterValue:
        """Let trial i have the i-th value of a parameter that its code names."""
        self._fail()
        if not self.spec.define_by_run:
            raise ParameterRefused("the study does not say `defineByRun: true`")
        if not 0 <= number < len(self._trials) or attempt != self._trials[number].open.attempt:
            raise NotFound(f"the study has no running attempt {attempt} of a trial {number}")
        trial = self._trials[number]
        if trial.finished is not None:
            raise NotFound(f"trial {number} has ended")
        own = {known.name: known.type for known in self.spec.parameters}
        if own.get(parameter.name) is ParameterType.FIXED:
            raise ParameterRefused(f"`{parameter.name}` is one of the study's own `parameters`")
        known = self._named.setdefault(parameter.name, parameter)
        if (known.type, known.scale, known.choices) != (parameter.type, parameter.scale, parameter.choices):
            raise ParameterRefused(f"`{parameter.name}` was {_kind_of(known)} when it was named before")
        values = trial.open.parameters
        if parameter.name not in values and len(values) >= MAX_NAMED_PARAMETERS:
            raise ParameterRefused(f"trial {number} has {MAX_NAMED_PARAMETERS} parameters")
        if parameter.name not in values:
            trial.open = replace(trial.open, parameters={**values, parameter.name: suggestion(parameter, number)})
        return trial.open.parameters[parameter.name]

    def fail_next(self, *errors: Exception) -> None:
        """Let the next writes raise these, one each, without doing anything."""
        self._errors.extend(errors)

    def decide_to_prune(self, number: int) -> None:
        """Decide now that a trial is not worth going on."""
        trial = self._trials[number]
        trial.open = replace(trial.open, prune_decided_at=self._clock.now())

    async def _let_happen(self) -> None:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        self._fail()

    def _fail(self) -> None:
        if self._errors:
            raise self._errors.pop(0)

    def _suggest(self, number: int, attempt: int) -> OpenTrial:
        enqueued: Mapping[str, ParameterValue] = {}
        if number < len(self.spec.search.enqueue):
            enqueued = self.spec.search.enqueue[number]
        parameters: dict[str, ParameterValue] = {}
        for parameter in self.spec.parameters:
            if parameter.is_active(parameters):
                parameters[parameter.name] = enqueued.get(parameter.name, suggestion(parameter, number))
        return OpenTrial(
            number=number,
            parameters=parameters,
            fingerprint=fingerprint_of(parameters),
            attempt=attempt,
            earlier=EarlierAttempts(first=attempt),
            seed=number,
            lineage=self.lineages.get(number, NO_LINEAGE),
            asked_at=self._clock.now(),
        )

    def _keep(self, trial: _Trial, run: int, batch: ReportBatch, afresh: bool) -> ReportAnswer:
        attempt = trial.open.attempt
        ended_before = run in trial.ends
        first = afresh or not any(of == attempt for of, _, _ in trial.reports)
        new = [] if ended_before else self._new_reports(trial, run, batch.reports)
        if batch.end is not None and not ended_before:
            trial.ends[run] = batch.end
            trial.open = replace(trial.open, end=trial.open.end or self._common_end(trial, run, batch.end))
        pruned_now = bool(new) and trial.open.number in self.prune_on_report
        if pruned_now:
            self.prune_on_report.discard(trial.open.number)
            self.decide_to_prune(trial.open.number)
        not_finite = not self._view(trial).is_finite
        if trial.open.prune_decided_at is not None or FinalState.PRUNED in {end.state for end in trial.ends.values()}:
            reply = ReportReply(stop=True, reason="Pruned")
        elif not_finite:
            reply = ReportReply(stop=True, reason="NotFinite")
        else:
            reply = ReportReply(stop=True, reason="Ended") if ended_before else ReportReply()
        ends_now = batch.end is not None and not ended_before
        wake = ends_now or pruned_now or bool(new and (first or not_finite))
        return ReportAnswer(reply, wake)

    def _forget_from(self, trial: _Trial, first: int) -> None:
        newest = trial.open.attempt
        trial.reports = {
            (of, run, at): report for (of, run, at), report in trial.reports.items() if of != newest or at < first
        }
        if not any(of == newest for of, _, _ in trial.reports):
            trial.open = replace(trial.open, first_report_at=None, last_report_at=None)

    def _common_end(self, trial: _Trial, run: int, end: TrialEnd) -> TrialEnd | None:
        if self.spec.trial.runs == 1:
            return end
        if end.state is FinalState.FAILED:
            return TrialEnd(end.state, f"run {run}: {end.message}" if end.message else f"run {run} failed")
        if end.state is FinalState.COMPLETE and self._missing(trial, run):
            return end
        states = {each.state for each in trial.ends.values()}
        if len(trial.ends) < self.spec.trial.runs:
            return None
        return TrialEnd(FinalState.PRUNED if FinalState.PRUNED in states else FinalState.COMPLETE)

    def _new_reports(self, trial: _Trial, run: int, reports: Sequence[Report]) -> list[Report]:
        new: dict[tuple[int, int, int], Report] = {}
        for report in reports:
            key = (trial.open.attempt, run, report.step)
            if key not in trial.reports:
                new.setdefault(key, report)
        for key, report in new.items():
            time = self._clock.now() if report.time is None else report.time
            trial.reports[key] = StoredReport(key[0], key[2], dict(report.values), time, run)
        if new:
            now = self._clock.now()
            first_at = trial.open.first_report_at
            trial.open = replace(trial.open, first_report_at=now if first_at is None else first_at, last_report_at=now)
        return list(new.values())

    def _view(self, trial: _Trial) -> OpenTrial:
        runs = range(self.spec.trial.runs)
        steps = [step for of, _, step in trial.reports if of == trial.open.attempt]
        reported = {name for (of, _, _), r in trial.reports.items() if of == trial.open.attempt for name in r.values}
        first, *others = self.spec.measured
        values = self._values(trial, first)
        return replace(
            trial.open,
            last_step=max(steps, default=None),
            metrics=tuple(sorted(reported)),
            value=mean_of(values.values()) if values else None,
            further={metric: mean_of(found.values()) for metric in others if (found := self._values(trial, metric))},
            run_values=values if len(runs) > 1 else {},
            mute_run=self._mute_run(trial),
            has_stopped=len(runs) > 1 and self._has_stopped(trial, is_finite=all(map(math.isfinite, values.values()))),
        )

    def _missing(self, trial: _Trial, run: int) -> tuple[str, ...]:
        metrics = (objective.metric for objective in self.spec.objectives)
        return tuple(metric for metric in metrics if self._value(trial, metric, run) is None)

    def _mute_run(self, trial: _Trial) -> MuteRun | None:
        mute = [MuteRun(run, lacks) for run in range(self.spec.trial.runs) if (lacks := self._missing(trial, run))]
        ended = [run for run in mute if run.number in trial.ends]
        return (ended or mute)[0] if mute and self.spec.trial.runs > 1 else None

    def _has_stopped(self, trial: _Trial, *, is_finite: bool) -> bool:
        heard = {run for of, run, _ in trial.reports if of == trial.open.attempt}
        pruned = FinalState.PRUNED in {end.state for end in trial.ends.values()}
        is_to_stop = trial.open.prune_decided_at is not None or pruned or not is_finite
        return is_to_stop and heard <= set(trial.ends)

    def _values(self, trial: _Trial, metric: str) -> dict[int, float]:
        """Return a metric's value so far of each run that has any."""
        values = {run: self._value(trial, metric, run) for run in range(self.spec.trial.runs)}
        return {run: value for run, value in values.items() if value is not None}

    def _value(self, trial: _Trial, metric: str, run: int) -> float | None:
        """Return a metric's value so far; of one that is no objective the last, if it is finite."""
        values = trial.objective_values(metric, run)
        for objective in self.spec.objectives:
            if objective.metric == metric:
                return reduce_values(values, objective.reduce, objective.direction)
        last = reduce_values(values, Reduce.LAST, Direction.MINIMIZE)
        return last if last is None or math.isfinite(last) else None


class FakeTrialRepositories:
    """Implements `TrialRepositories`. A closed study's history is kept, as a database keeps it."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or FakeClock()
        self._stored: dict[str, FakeTrialRepository] = {}
        self._open: dict[str, FakeTrialRepository] = {}
        self._keys: list[StudyKey] = []
        self._errors: list[Exception] = []

    def find(self, uid: str) -> FakeTrialRepository | None:
        """Return an open study's repository."""
        return self._open.get(uid)

    async def open(self, study: StudyKey, spec: StudySpec, resume: str = "") -> FakeTrialRepository:
        """Open a study's history, make one, or take the newest earlier one of its name."""
        if self._errors:
            raise self._errors.pop(0)
        if resume and study.uid not in self._stored:
            await self._resume(study, spec)
        if study not in self._keys:
            self._keys.append(study)
        repository = self._stored.setdefault(study.uid, FakeTrialRepository(spec, self._clock, study))
        repository.spec = spec
        self._open[study.uid] = repository
        return repository

    async def _resume(self, study: StudyKey, spec: StudySpec) -> None:
        of_name = [key for key in self._keys if (key.namespace, key.name) == (study.namespace, study.name)]
        earlier = [key.uid for key in of_name if key.uid in self._stored and self._stored[key.uid].history().total]
        if not earlier:
            return
        repository = self._stored[earlier[-1]]
        old = repository.spec
        if (old.parameters, old.trial.template) != (spec.parameters, spec.trial.template):
            raise InvalidStudy(["the search differs from the study's stored history"], reason="NotResumable")
        self._stored[study.uid] = self._stored.pop(earlier[-1])
        self._open.pop(earlier[-1], None)
        for trial in repository.history().open:
            await repository.start_attempt(put_off(trial, 0.0, "Resumed"))

    async def close(self, uid: str) -> None:
        """Forget an open study."""
        self._open.pop(uid, None)

    async def secret_key(self) -> bytes:
        """Return the same key always."""
        return b"0123456789abcdef0123456789abcdef"

    def fail_next_open(self, *errors: Exception) -> None:
        """Let the next calls of `open` raise these, one each."""
        self._errors.extend(errors)


def _stop(reason: str) -> ReportAnswer:
    return ReportAnswer(ReportReply(stop=True, reason=reason), wake=False)
