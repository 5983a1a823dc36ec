"""A study's history, as it is loaded from the database: everything that only reads."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from optuna.trial import FrozenTrial, TrialState

from tuning_contract.environment import ParameterValue
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.history import ActiveTime, History
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.decisions.tally import Tally
from tuning_operator.decisions.trials import EndState, FinishedTrial, OpenTrial
from tuning_operator.ports import StoredReport
from tuning_operator.search.attributes import active_time, kept_outlook, trial_attributes
from tuning_operator.search.damage import check_trials, readable
from tuning_operator.search.database import Database
from tuning_operator.search.lineage import lineage_of
from tuning_operator.search.naming import named_value
from tuning_operator.search.open_trial import TrialProgress
from tuning_operator.search.space import Space
from tuning_operator.search.storage import MirroredStorage
from tuning_operator.search.stored_reports import StoredReports
from tuning_operator.search.study_record import check_directions, read_record, search_fingerprint
from tuning_operator.search.warm_start import WARM_START, warm_trials

_END_STATES = {
    TrialState.COMPLETE: EndState.COMPLETE,
    TrialState.PRUNED: EndState.PRUNED,
    TrialState.FAIL: EndState.FAILED,
}


@dataclass(frozen=True)
class Outlook:
    """What a study's search can still do, as far as it is known."""

    size: int | None = None
    """How many trials it can have, enqueued ones included; None: endlessly many."""
    infeasible: str = ""
    """Why constraints leave no further trial, as a sentence; empty: they do not."""
    waits: bool = False
    """Whether it had nothing to propose since a trial ended last."""


class StudyHistory:
    """The trials of one study. Loads them when it is made: call that off the event loop.

    Raises
    ------
    StorageDamaged
        The trials are not as this project writes them.
    """

    def __init__(self, database: Database, key: StudyKey, study_id: int) -> None:
        self.key = key
        self._database = database
        self._storage = MirroredStorage(database)
        with readable(key):
            self._load(study_id)

    def _load(self, study_id: int) -> None:
        self._storage.load(study_id)
        self._record = read_record(self.key, study_id, self._storage.get_study_system_attrs(study_id))
        check_directions(self._record, self._storage.get_study_directions(study_id))
        self._space = Space(self._record.parameters)
        self._open: dict[int, TrialProgress] = {}
        """Open trials by number, in its order."""
        finished = []
        for trial in check_trials(self.key, self._frozen(), len(self._record.objectives)):
            if trial.state.is_finished():
                finished.append(self._finished(trial))
            else:
                self._open[trial.number] = self._progress(trial)
        self._tally = Tally(self._record.objectives, self._record.metric_constraints)
        self._tally.add_all(finished)
        known = self._storage.get_study_system_attrs(study_id).get(WARM_START)
        record = self._record
        self._warm = warm_trials(known, self._space, len(record.objectives), record.metric_constraints)
        attrs = self._storage.get_study_user_attrs(study_id)
        self._active, self._kept_outlook = active_time(attrs), kept_outlook(attrs)
        stored = StoredReports(self.reports_uid)
        with self._database.reading() as connection:
            stored.restore(connection, self._open, self._newest_completion())
        for number, progress in self._open.items():
            progress.keep_pod_time(trial_attributes(self._frozen()[number].user_attrs).pod_time)

    @property
    def reports_uid(self) -> str:
        """Under which uid our own tables have the trials' reports."""
        return self._record.reports_uid

    def history(self) -> History:
        """Return the trials; costs no more than the number of open ones."""
        tally, outlook = self._tally, self._outlook()
        started_at = _seconds(self._frozen()[0]) if self._frozen() else None
        return History(
            total=tally.ended + len(self._open),
            open=tuple(trial.view() for trial in self._open.values()),
            size=outlook.size,
            infeasible=outlook.infeasible,
            waits=outlook.waits,
            warm_start=self._warm.report,
            started_at=started_at,
            active=ActiveTime(since=started_at) if self._active is None else self._active,
            **tally.sums(),
        )

    def outlook_left(self, spec: StudySpec) -> Outlook:
        """Return what the last run found that the search can still do; nothing where this spec's search is another, or
        where a run has gone on since and did not come to its end."""
        kept = self._kept_outlook
        if kept is None or kept.search != search_fingerprint(spec):
            return Outlook()
        has_gone_on = kept.size is not None and kept.size < len(self._frozen())
        return Outlook() if has_gone_on else Outlook(kept.size, kept.infeasible)

    def finished(self, number: int) -> FinishedTrial | None:
        """Return a finished trial, None for an open or unknown one."""
        trials = self._frozen()
        if not 0 <= number < len(trials) or not trials[number].state.is_finished():
            return None
        return self._finished(trials[number])

    def trials(self, after: int, limit: int) -> Sequence[OpenTrial | FinishedTrial]:
        """Return at most `limit` trials with numbers above `after`, in the order of their numbers."""
        known = itertools.islice(self._frozen(), max(0, after + 1), max(0, after + 1 + limit))
        found = ((trial, self._open.get(trial.number)) for trial in known)
        return [self._finished(trial) if progress is None else progress.view() for trial, progress in found]

    def reports(self, number: int) -> Sequence[StoredReport]:
        """Return a trial's reports by attempt, run and step; reads the database, so call it off the loop."""
        with self._database.reading() as connection:
            return StoredReports(self.reports_uid).of_trial(connection, number)

    def _outlook(self) -> Outlook:
        """Return what the search can still do: nothing is known of it where nobody searches."""
        return Outlook()

    def _newest_completion(self) -> float:
        """Return when the last trial that is complete was told, in seconds since 1970."""
        times = (trial.datetime_complete for trial in self._frozen() if trial.state is TrialState.COMPLETE)
        return max((time.timestamp() for time in times if time is not None), default=-math.inf)

    def _frozen(self) -> list[FrozenTrial]:
        """Return the trials in memory by number; not to be changed."""
        return self._storage._studies[self._record.study_id].trials

    def _progress(self, trial: FrozenTrial) -> TrialProgress:
        attrs = trial_attributes(trial.user_attrs)
        return TrialProgress(
            number=trial.number,
            trial_id=trial._trial_id,
            objectives=self._record.objectives,
            parameters=self._space.typed(trial.params),
            seed=attrs.seed,
            asked_at=_seconds(trial),
            attempt=attrs.attempt,
            earlier=attrs.earlier,
            rungs=attrs.rungs,
            lineage=lineage_of(trial),
            constraints=self._record.metric_constraints,
            runs=self._record.runs,
            named=self._named(trial),
        )

    def _named(self, trial: FrozenTrial) -> dict[str, ParameterValue]:
        """Return the parameters that a trial's code has named."""
        named = self._space.undeclared(trial.params)
        return {name: named_value(trial.distributions[name], value) for name, value in named.items()}

    def _finished(self, trial: FrozenTrial) -> FinishedTrial:
        assert trial.datetime_complete is not None
        attrs = trial_attributes(trial.user_attrs)
        values = trial.values or []
        further = {of.metric: value for of, value in zip(self._record.objectives[1:], values[1:], strict=False)}
        return FinishedTrial(
            number=trial.number,
            state=_END_STATES[trial.state],
            parameters={**self._space.typed(trial.params), **self._named(trial)},
            value=values[0] if values else None,
            further={**attrs.metrics, **further},
            reason=attrs.reason,
            message=attrs.message,
            attempt=attrs.attempt,
            ended_at=trial.datetime_complete.timestamp(),
            running_seconds=attrs.running_seconds,
            lineage=lineage_of(trial),
            run_values=attrs.run_values,
        )


def _seconds(trial: FrozenTrial) -> float:
    assert trial.datetime_start is not None
    return trial.datetime_start.timestamp()
