"""A study that was run on this machine: its history in `.tuning/`, read without running it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from tuning_operator.api.names import job_name
from tuning_operator.api.status import StudyStatus
from tuning_operator.api.study import TuningStudy
from tuning_operator.api.validation import parse_study
from tuning_operator.api.yaml_files import load_study
from tuning_operator.cli.local_status import local_status
from tuning_operator.cli.study_object import require_trial
from tuning_operator.cli.study_reader import BestFound, FrontFound, StudyFacts, facts_of
from tuning_operator.decisions.feasibility import why_infeasible
from tuning_operator.decisions.in_order import in_order
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.decisions.trial_value import known_values
from tuning_operator.decisions.trials import FinishedTrial, OpenTrial
from tuning_operator.errors import NotFound
from tuning_operator.local.places import NAMESPACE, Places
from tuning_operator.local.processes import log_name
from tuning_operator.ports import StoredReport
from tuning_operator.reports.trial_document import trial_document
from tuning_operator.search import StudyRepositories
from tuning_operator.search.history import StudyHistory

_ALL = 10_000_000

Found = TypeVar("Found")


def log_file(places: Places, study: StudyKey, trial: OpenTrial | FinishedTrial, run: int = 0) -> Path:
    """Return where the output of a run of a trial's newest attempt is."""
    return places.logs(study) / log_name(job_name(study.name, study.uid, trial.number, trial.attempt), run)


@dataclass(frozen=True)
class LocalLog:
    """What a trial's newest attempt printed."""

    file: Path
    is_whole: bool
    """Whether nothing is added to it any more."""


class LocalReader:
    """Implements `StudyReader`. It may read while another process runs the study."""

    def __init__(self, study: TuningStudy, places: Places, path: Path) -> None:
        self._study = study
        self._places = places
        self._path = path

    @classmethod
    def of_file(cls, path: Path, places: Places | None = None) -> LocalReader:
        """Return the reader of the study that a file describes."""
        return cls(parse_study(load_study(path)), places or Places(), path)

    def facts(self) -> StudyFacts:
        """Return what the file says."""
        return facts_of(self._study.metadata.name, self._study.spec, f"this machine, {self._places.directory}/")

    def status(self) -> StudyStatus:
        """Return the status of the newest history, computed from it."""
        return self._read(self._status)

    def trials(self) -> Sequence[Mapping[str, Any]]:
        """Return all trials of the newest history."""
        return self._read(lambda history: [trial_document(trial) for trial in history.trials(-1, _ALL)])

    def best(self) -> BestFound | None:
        """Return the best complete trial of the newest history."""
        return self._read(self._best)

    def front(self) -> FrontFound:
        """Return the whole front of the newest history."""
        return self._read(self._front)

    def log(self, number: int, run: int = 0) -> LocalLog:
        """Return the log of a trial's run as it is now.

        Raises
        ------
        NotFound
            The study has no such trial or run, or the file is gone.
        """
        return self._read(lambda history: self._log(history, number, run))

    def trained_steps(self) -> Mapping[int, int]:
        """Return how many steps each trial trained, by number: of its runs together, each up to its last report."""
        return self._read(self._trained_steps)

    def _status(self, history: StudyHistory) -> StudyStatus:
        running = self._places.runner_of(self._study.metadata.name) is not None
        spec, way_on = self._study.spec, f"tuning run {self._path}"
        left = history.outlook_left(spec)
        known = replace(history.history(), size=left.size, infeasible=left.infeasible)
        trials = in_order(known, history.finished, spec)
        return local_status(history.key, spec, trials, running=running, now=time.time(), way_on=way_on)

    def _log(self, history: StudyHistory, number: int, run: int) -> LocalLog:
        require_trial(self._study.metadata.name, number, history.history().total)
        (trial,) = history.trials(number - 1, 1)
        file = log_file(self._places, history.key, trial, run)
        if not file.is_file():
            raise NotFound(f"run {run} of trial {number} has no log: there is no file {file}")
        runs = self._places.runner_of(self._study.metadata.name) is not None
        return LocalLog(file, is_whole=isinstance(trial, FinishedTrial) or not runs)

    def _best(self, history: StudyHistory) -> BestFound | None:
        best = history.history().best
        return None if best is None else self._found(history, best)

    def _front(self, history: StudyHistory) -> FrontFound:
        trials = [self._found(history, member.trial) for member in history.history().front.members]
        return FrontFound(len(trials), trials)

    def _found(self, history: StudyHistory, trial: FinishedTrial) -> BestFound:
        spec = self._study.spec
        values = known_values(trial, spec.objectives)
        return BestFound(
            number=trial.number,
            value=values[spec.objective.metric],
            parameters=dict(trial.parameters),
            job=job_name(history.key.name, history.key.uid, trial.number, trial.attempt),
            log=str(log_file(self._places, history.key, trial)),
            values=values,
            infeasible=why_infeasible(values, spec.metric_constraints),
            std=trial.std,
        )

    def _trained_steps(self, history: StudyHistory) -> Mapping[int, int]:
        return {trial.number: steps_of(history.reports(trial.number)) for trial in history.trials(-1, _ALL)}

    def _read(self, take: Callable[[StudyHistory], Found]) -> Found:
        if not self._places.database.is_file():
            raise NotFound(self._never_run())
        repositories = StudyRepositories(self._places.storage_url)

        async def read() -> Found:
            try:
                return take(await self._newest(repositories))
            finally:
                await repositories.aclose()

        return asyncio.run(read())

    async def _newest(self, repositories: StudyRepositories) -> StudyHistory:
        try:
            return await repositories.read_history(NAMESPACE, self._study.metadata.name)
        except NotFound:
            raise NotFound(self._never_run()) from None

    def _never_run(self) -> str:
        directory = self._places.directory
        return (
            f"{directory} has no history of the study {self._study.metadata.name}; `tuning run {self._path}` makes it"
        )


def steps_of(reports: Sequence[StoredReport]) -> int:
    """Return how many steps the newest attempts of a trial's runs have trained, each up to its last report."""
    newest = {report.run: report.attempt for report in reports}  # attempts come in their order
    largest = dict.fromkeys(newest, 0)
    for report in reports:
        if report.attempt == newest[report.run]:
            largest[report.run] = max(largest[report.run], report.step)
    return sum(largest.values())


def curve(reports: Sequence[StoredReport], metric: str) -> dict[int, float]:
    """Return a metric by step; a newer attempt replaces the steps from its first one on."""
    values: dict[int, float] = {}
    attempt = 0
    for report in reports:
        if report.attempt > attempt:
            attempt = report.attempt
            values = {step: value for step, value in values.items() if step < report.step}
        if metric in report.values:
            values[report.step] = report.values[metric]
    return values
