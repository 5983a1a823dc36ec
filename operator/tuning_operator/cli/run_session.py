"""`tuning run` from the first sentence to the result: the run, the signals, the screen."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from tuning_operator.api.status import ConditionType, StudyStatus
from tuning_operator.api.validation import parse_study
from tuning_operator.cli.formats import plural
from tuning_operator.cli.live_view import aim_text
from tuning_operator.cli.local_reader import LocalReader
from tuning_operator.cli.result_view import Result, saved_share
from tuning_operator.cli.run_monitor import RunMonitor
from tuning_operator.cli.run_screen import Screen
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.local.places import Places
from tuning_operator.local.runner import LocalRun
from tuning_operator.ports import TrialRepository

REFRESH_SECONDS = 0.2
"""Between two pictures."""

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM
"""Exit statuses of a run that somebody stopped: it is not done, and goes on when it is started again."""


@dataclass(frozen=True)
class RunEnd:
    """How a run ended."""

    exit_status: int
    status: StudyStatus
    result: Result


class RunSession:
    """One call of `tuning run`."""

    def __init__(self, path: Path, document: Mapping[str, Any], screen: Screen, places: Places | None = None) -> None:
        self._path = path
        self._study = parse_study(document)
        self._document = document
        self._screen = screen
        self._places = places or Places()
        self._monitor = RunMonitor(self._study, self._places)
        self._said_start = False
        self._ended = 0
        self._log = ExitStack()
        self._exit_status = 0

    async def run(self, parallelism: int | None, new: bool) -> RunEnd:
        """Run the study to its end, or until it was stopped; raises as `LocalRun.run` does."""
        observer = replace(self._monitor.observer, on_start=self._started)
        run = LocalRun(self._document, self._places, parallelism, new, observer)
        self._take_signals(run)
        task = asyncio.create_task(run.run())
        with self._screen as screen, self._log:
            while not task.done():
                await asyncio.wait({task}, timeout=REFRESH_SECONDS)
                await self._monitor.read_curves()
                self._show(screen)
        status = task.result()
        result = await asyncio.to_thread(self._result, status)
        return RunEnd(self._exit_status_of(status), status, result)

    def _started(self, study: StudyKey, trials: TrialRepository) -> None:
        self._log.enter_context(_engines_log(self._places.logs(study) / "run.log"))
        self._monitor.observer.on_start(study, trials)

    def _take_signals(self, run: LocalRun) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._interrupt, run)
        loop.add_signal_handler(signal.SIGTERM, self._terminate, run)

    def _interrupt(self, run: LocalRun) -> None:
        self._monitor.interrupted += 1
        self._exit_status = INTERRUPTED
        if self._monitor.interrupted > 2:
            return
        run.stop()
        running = self._monitor.picture().running
        if self._monitor.interrupted == 2:
            self._screen.say(
                "stopping: running trials are cut off; run the study again, and they go on from their last checkpoint, "
                "or start over"
            )
        elif running:
            self._screen.say(f"draining: {plural(running, 'running trial')} may finish; Ctrl-C again stops now")
        else:
            self._screen.say("stopping")

    def _terminate(self, run: LocalRun) -> None:
        self._exit_status = TERMINATED
        self._monitor.interrupted = 2
        self._screen.say("stopping: SIGTERM")
        run.stop()
        run.stop()

    def _show(self, screen: Screen) -> None:
        if self._monitor.key is None:
            return
        picture = self._monitor.picture()
        if not self._said_start:
            self._said_start = True
            self._say_start(screen)
        for row in self._monitor.trials_ended():
            self._ended += 1
            screen.trial_ended(row, self._monitor.resumed + self._ended, picture)
        screen.show(picture)

    def _say_start(self, screen: Screen) -> None:
        facts, key = self._monitor.facts, self._monitor.key
        assert key is not None
        done, total = self._monitor.resumed, facts.max_trials
        if done >= total:
            screen.say(f"all {total} trials of {facts.name} are done already; --new starts a new history")
        elif self._monitor.is_resumed:
            screen.say(f"resuming: {done} of {plural(total, 'trial')} are done")
        else:
            goal = aim_text(facts.aims, facts.direction, facts.metric)
            screen.say(f"study {facts.name}: {goal} in {plural(total, 'trial')}; logs in {self._places.logs(key)}")
            if self._monitor.warm_start:
                screen.say(f"warm start: {self._monitor.warm_start}")

    def _exit_status_of(self, status: StudyStatus) -> int:
        if status.is_true(ConditionType.FAILED):
            return 1
        return 0 if status.is_true(ConditionType.COMPLETE) else self._exit_status

    def _result(self, status: StudyStatus) -> Result:
        reader = LocalReader(self._study, self._places, self._path)
        rows = self._monitor.all_rows()
        return Result(
            picture=replace(self._monitor.picture(), seconds=self._seconds(status)),
            message=_message(status, self._path),
            trials=rows,
            best=None if self._monitor.facts.aims.are_several else reader.best(),
            hints=self._hints(status),
            saving=saved_share(rows, reader.trained_steps()),
        )

    def _seconds(self, status: StudyStatus) -> float:
        """Return how long this run took, or the earlier ones if there was nothing to do."""
        if self._ended or status.start_time is None or status.completion_time is None:
            return self._monitor.picture().seconds
        start, end = map(datetime.fromisoformat, (status.start_time, status.completion_time))
        return (end - start).total_seconds()

    def _hints(self, status: StudyStatus) -> Mapping[str, str]:
        assert self._monitor.key is not None
        return {
            f"tuning trials {self._path}": "all trials",
            f"tuning best {self._path}": "the best parameters again",
            str(self._places.logs(self._monitor.key)): "the trials' logs",
            **self._kept_checkpoints(status),
        }

    def _kept_checkpoints(self, status: StudyStatus) -> Mapping[str, str]:
        assert self._monitor.key is not None
        folder = self._places.checkpoints(self._monitor.key)
        if any((folder / str(trial.number)).is_dir() for trial in status.front):
            return {str(folder): "the checkpoints of the trials on the front, by number"}
        if status.best is not None and (best := folder / str(status.best.number)).is_dir():
            return {str(best): "the best trial's checkpoints"}
        return {}


def _message(status: StudyStatus, path: Path) -> str:
    for kind in (ConditionType.FAILED, ConditionType.COMPLETE):
        condition = status.condition(kind)
        if condition is not None and condition.status == "True":
            return "" if condition.reason == "MaxTrialsReached" else condition.message
    return f"not finished; `tuning run {path}` goes on where it ended"


@contextmanager
def _engines_log(file: Path) -> Iterator[None]:
    """Let the engine's log go to a file: the terminal shows the same more clearly."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(file, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    root = logging.getLogger("tuning_operator")
    before = root.level, root.propagate
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    root.propagate = False
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
        root.level, root.propagate = before
