"""Follows a run on this machine: pictures of it, from memory."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

from tuning_operator.api.status import ConditionType, StudyStatus
from tuning_operator.api.study import TuningStudy
from tuning_operator.cli.front_view import front_line
from tuning_operator.cli.live_view import Best, RunPicture
from tuning_operator.cli.local_reader import curve, log_file
from tuning_operator.cli.study_reader import facts_of
from tuning_operator.cli.trial_rows import RUNNING, TrialRow, trial_row
from tuning_operator.decisions.feasibility import why_infeasible
from tuning_operator.decisions.history import History
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.decisions.trial_value import known_values
from tuning_operator.decisions.trials import FinishedTrial, OpenTrial
from tuning_operator.errors import Unavailable
from tuning_operator.local.places import Places
from tuning_operator.local.runner import Observer
from tuning_operator.ports import TrialRepository
from tuning_operator.reports.trial_document import trial_document

RECENT = 40
"""Ended trials that a picture has at most; a terminal shows fewer."""


class RunMonitor:
    """What is known of a run since it began."""

    def __init__(self, study: TuningStudy, places: Places, clock: Callable[[], float] = time.time) -> None:
        self.facts = facts_of(study.metadata.name, study.spec)
        self.key: StudyKey | None = None
        self.resumed = 0
        """Trials that had ended before this run."""
        self.interrupted = 0
        """How often somebody asked to stop."""
        self._places = places
        self._clock = clock
        self._began = clock()
        self._status = StudyStatus()
        self._trials: TrialRepository | None = None
        self._unseen: set[int] = set()
        self._known = 0
        self._curves: dict[int, dict[int, float]] = defaultdict(dict)
        """The objective by step, by trial: what was seen of running trials, and what is stored of ended ones."""
        self._whole: set[int] = set()
        """Ended trials whose stored curves were read."""
        self._since: dict[tuple[int, int], float] = {}
        """When a trial's attempt was seen first."""

    @property
    def observer(self) -> Observer:
        """What the run tells."""
        return Observer(on_start=self._started, on_status=self._changed)

    @property
    def is_resumed(self) -> bool:
        """Whether an earlier run left trials."""
        return self.resumed > 0

    @property
    def warm_start(self) -> str:
        """What the search knew before the first trial, as a sentence; empty: nothing."""
        return self._trials.history().warm_start if self._trials else ""

    def trials_ended(self) -> Iterator[TrialRow]:
        """Yield the trials that ended since the last call, by number."""
        if self._trials is None:
            return
        total = self._trials.history().total
        self._unseen.update(range(self._known, total))
        self._known = total
        for number in sorted(self._unseen):
            trial = self._trials.finished(number)
            if trial is not None:
                self._unseen.discard(number)
                yield self._row(trial)

    async def read_curves(self) -> None:
        """Read the curves of the trials that ended last: between two pictures a trial may report and end."""
        if self._trials is None:
            return
        for trial in self._trials.history().recent[:RECENT]:
            if trial.number in self._whole:
                continue
            with suppress(Unavailable):  # the next picture tries again
                reports = await asyncio.to_thread(self._trials.reports, trial.number)
                self._curves[trial.number] = curve(reports, self.facts.metric)
                self._whole.add(trial.number)

    def picture(self) -> RunPicture:
        """Return the run as it is now."""
        self._follow_curves()
        counts, condition = self._status.trials, self._status.condition(ConditionType.DEGRADED)
        history = self._trials.history() if self._trials else None
        best = history.best if history else None
        return RunPicture(
            study=self.facts.name,
            metric=self.facts.metric,
            direction=self.facts.direction,
            parameters=self.facts.parameters,
            max_trials=self.facts.max_trials,
            phase=self._status.phase,
            complete=history.complete if history else 0,
            pruned=history.pruned if history else 0,
            failed=history.failed if history else 0,
            running=counts.running + counts.pending,
            seconds=self._clock() - self._began,
            best=None if best is None or best.value is None else Best(best.number, best.value, best.parameters),
            trials=tuple(self._rows()),
            aims=self.facts.aims,
            front=frozenset(member.trial.number for member in history.front.members) if history else (),
            found=front_line(self._status) if self._status.front else "",
            is_feasible=history is None or self._is_feasible(history),
            note=condition.message if condition is not None and condition.status == "True" else "",
        )

    def all_rows(self) -> list[TrialRow]:
        """Return all trials of the study."""
        if self._trials is None:
            return []
        return [self._row(trial) for trial in self._trials.trials(-1, self._trials.history().total)]

    def _is_feasible(self, history: History) -> bool:
        if self.facts.aims.are_several:
            return history.front.is_feasible or not history.front.members
        aims, best = self.facts.aims, history.best
        return best is None or not why_infeasible(known_values(best, aims.objectives), aims.constraints)

    def _started(self, key: StudyKey, trials: TrialRepository) -> None:
        self.key, self._trials = key, trials
        history = trials.history()
        self.resumed = history.complete + history.pruned + history.failed
        self._known = history.total
        self._unseen = {trial.number for trial in history.open}

    def _changed(self, status: StudyStatus) -> None:
        self._status = status

    def _rows(self) -> Iterator[TrialRow]:
        if self._trials is None:
            return
        history = self._trials.history()
        yield from (self._row(trial) for trial in history.open)
        yield from (self._row(trial) for trial in history.recent[:RECENT])

    def _row(self, trial: OpenTrial | FinishedTrial) -> TrialRow:
        assert self.key is not None
        values = self._curves.get(trial.number, {})
        row = replace(
            trial_row(trial_document(trial)),
            step=max(values, default=None),
            trend=[values[step] for step in sorted(values)],
            log=str(log_file(self._places, self.key, trial)),
        )
        if isinstance(trial, FinishedTrial):
            return row
        since = self._since.setdefault((trial.number, trial.attempt), self._clock())
        return replace(row, state=RUNNING, seconds=self._clock() - since)  # its process started when it was asked for

    def _follow_curves(self) -> None:
        for trial in self._trials.history().open if self._trials else ():
            if trial.last_step is None or trial.value is None:
                continue
            values = self._curves[trial.number]
            if trial.last_step < max(values, default=0):
                values.clear()  # a new attempt
            values[trial.last_step] = trial.value
