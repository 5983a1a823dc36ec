"""What is read of which log, and where it goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.builders import STUDY, job, spec, spec_document
from tests.cluster_api.trial_jobs_suite import until
from tests.fakes import FakeTrialRepository
from tuning_contract import Report, ReportBatch
from tuning_contract.reports import MAX_REPORTS_PER_BATCH
from tuning_operator.api.retries import FailureClass
from tuning_operator.decisions.seen_jobs import JobPhase
from tuning_operator.errors import StorageUnavailable, TooManySteps
from tuning_operator.trial_logs import log_readings, trial_log
from tuning_operator.trial_logs.log_readings import LogReadings
from tuning_operator.trial_logs.trial_log import LogLost, TrialLog

SPEC = spec(trial={**spec_document()["trial"], "metrics": {"source": "Logs"}}, maxTrials=5, parallelism=5)

Read = Callable[[TrialLog], Any]


class Reading:
    """Readings of logs that a function of the test reads."""

    def __init__(self) -> None:
        self.woken: list[str] = []
        self.counted = [0, 0]
        self.spec = SPEC
        self.trials = FakeTrialRepository(SPEC)
        self.read_log: Read = self.read_forever
        self.logs = LogReadings(lambda log: self.read_log(log), self.woken.append, self.count)

    async def read_forever(self, log: TrialLog) -> None:
        """Read a log that never ends."""
        await asyncio.Event().wait()

    async def read_lines(self, log: TrialLog) -> None:
        """Read two lines, and wait for the container's end."""
        opened = await log.open(stamped=False)
        await opened.feed(b"accuracy=0.5\nloss=1\naccuracy=0.6\n")
        await log.ended.wait()
        await opened.feed(b"accuracy=0.7")
        await opened.close()

    def count(self, lines: int, reports: int) -> None:
        """Add up what was read."""
        self.counted = [self.counted[0] + lines, self.counted[1] + reports]

    def follow(self, *phases: str) -> None:
        """Follow the Jobs of trials 0, 1, …"""
        jobs = [job(number, phase) for number, phase in enumerate(phases)]
        self.logs.follow(STUDY, self.spec, jobs, self.trials)

    def steps(self, trial: int) -> list[int]:
        """Return the steps that a trial has reported."""
        return [report.step for report in self.trials.reports(trial)]


@pytest.fixture
async def reading(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reading]:
    """Readings that end with the test, of a study with five trials."""
    monkeypatch.setattr(trial_log, "STORAGE_PAUSE", 0.01)
    reading = Reading()
    await reading.trials.ask(5)
    yield reading
    await reading.logs.close()


async def test_what_a_container_prints_is_reported_while_it_runs(reading: Reading) -> None:
    reading.read_log = reading.read_lines
    reading.follow("Running", "Running")
    await until(lambda: reading.steps(0) == reading.steps(1) == [1, 2], "nothing is reported")
    assert reading.logs.read(STUDY) == {}
    reading.follow("Complete", "Running")
    await until(lambda: (0, 1) in reading.logs.read(STUDY), "the log's end is not noticed")
    assert reading.steps(0) == [1, 2, 3]
    assert reading.logs.read(STUDY) == {(0, 1): None}
    assert reading.woken[-1] == STUDY.uid
    assert reading.counted == [7, 5]


async def test_a_log_is_read_once_however_often_the_study_looks(reading: Reading) -> None:
    opened: list[str] = []

    async def read(log: TrialLog) -> None:
        opened.append(log.job.name)

    reading.read_log = read
    for _ in range(3):
        reading.follow("Running", "Complete")
        await asyncio.sleep(0)
    await until(lambda: len(reading.logs.read(STUDY)) == 2, "the logs are not read")
    reading.follow("Complete", "Complete")
    await asyncio.sleep(0.01)
    assert sorted(opened) == [job(0).name, job(1).name]


async def test_nothing_is_read_any_more_of_a_trial_that_has_ended(reading: Reading) -> None:
    stopped = asyncio.Event()

    async def read(log: TrialLog) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    reading.read_log = read
    reading.follow("Running")
    await asyncio.sleep(0)
    reading.follow()
    await asyncio.wait_for(stopped.wait(), 10)
    assert reading.logs.read(STUDY) == {}


async def test_a_log_that_is_lost_says_why(reading: Reading) -> None:
    async def read(log: TrialLog) -> None:
        raise LogLost("the node is gone")

    reading.read_log = read
    reading.follow("Complete")
    await until(lambda: bool(reading.woken), "nobody is woken")
    assert reading.logs.read(STUDY) == {(0, 1): (FailureClass.LOG_LOST, "the node is gone")}


async def test_a_defect_is_logged_and_loses_one_log_alone(reading: Reading, caplog: pytest.LogCaptureFixture) -> None:
    async def read(log: TrialLog) -> None:
        if log.job.trial == 0:
            raise ZeroDivisionError

    reading.read_log = read
    reading.follow("Complete", "Complete")
    await until(lambda: len(reading.logs.read(STUDY)) == 2, "the logs are not read")
    failure = reading.logs.read(STUDY)[0, 1]
    assert failure is not None
    assert failure[0] is FailureClass.LOG_LOST
    assert "defect" in failure[1]
    assert reading.logs.read(STUDY)[1, 1] is None
    assert "ZeroDivisionError" in caplog.text


async def test_a_trial_that_is_to_stop_is_read_no_further_and_wakes_its_study(reading: Reading) -> None:
    reading.read_log = reading.read_lines
    reading.trials.prune_on_report.add(0)
    reading.follow("Running")
    await until(lambda: (0, 1) in reading.logs.read(STUDY), "the log is read on")
    assert STUDY.uid in reading.woken
    assert reading.trials.history().open[0].prune_decided_at is not None


async def test_reports_wait_for_a_database_that_is_away(reading: Reading) -> None:
    away = StorageUnavailable("the database is away")
    reading.trials.fail_next(away, away)
    reading.read_log = reading.read_lines
    reading.follow("Complete")
    await until(lambda: (0, 1) in reading.logs.read(STUDY), "the log is not read")
    assert reading.steps(0) == [1, 2, 3]


async def test_more_reports_than_are_kept_are_no_lost_log(reading: Reading) -> None:
    reading.trials.fail_next(TooManySteps("at most 100,000 steps"))
    reading.read_log = reading.read_lines
    reading.follow("Running")
    await until(lambda: (0, 1) in reading.logs.read(STUDY), "the log is read on")
    assert reading.logs.read(STUDY)[0, 1] == (FailureClass.TOO_MANY_STEPS, "at most 100,000 steps")


async def test_a_restarted_operator_goes_on_counting(reading: Reading) -> None:
    """The first lines were rotated away meanwhile."""
    await reading.trials.report(0, 1, ReportBatch((Report(7, {"accuracy": 0.1}, 1_800_000_000.5),)))
    seen: list[float | None] = []

    async def read(log: TrialLog) -> None:
        opened = await log.open(stamped=True)
        seen.append(opened.since)
        await opened.feed(b"2027-01-15T08:00:00.5Z accuracy=0.1\n2027-01-15T08:00:01Z accuracy=0.2\n")
        opened = await log.open(stamped=True)
        seen.append(opened.since)
        await opened.feed(b"2027-01-15T08:00:01Z accuracy=0.2\n2027-01-15T08:00:02Z accuracy=0.3\n")

    reading.read_log = read
    reading.follow("Complete")
    await until(lambda: (0, 1) in reading.logs.read(STUDY), "the log is not read")
    assert [(report.step, report.values["accuracy"]) for report in reading.trials.reports(0)] == [
        (7, 0.1),
        (8, 0.2),
        (9, 0.3),
    ]
    assert seen == [1_800_000_000.5, 1_800_000_001.0]


async def test_the_log_of_another_pod_is_read_from_its_beginning_and_replaces_what_was_reported(
    reading: Reading,
) -> None:
    earlier = (Report(step, {"accuracy": step / 10}, 1_800_000_000.5 + step) for step in range(1, 6))
    await reading.trials.report(0, 1, ReportBatch(tuple(earlier)))

    async def read(log: TrialLog) -> None:
        opened = await log.open(stamped=True, began=1_800_000_010.0)
        assert opened.since is None
        assert reading.steps(0) == [1, 2, 3, 4, 5], "a pod that has printed nothing yet replaces nothing"
        await opened.feed(b"2027-01-15T08:00:11Z accuracy=0.7\n")
        assert reading.steps(0) == [1]
        opened = await log.open(stamped=True, began=1_800_000_010.0)
        assert opened.since == 1_800_000_011.0, "it is read on where it was"
        await opened.feed(b"2027-01-15T08:00:11Z accuracy=0.7\n2027-01-15T08:00:12Z accuracy=0.8\n")

    reading.read_log = read
    reading.follow("Complete")
    await until(lambda: (0, 1) in reading.logs.read(STUDY), "the log is not read")
    assert [report.values["accuracy"] for report in reading.trials.reports(0)] == [0.7, 0.8]


async def test_a_pod_that_prints_on_from_a_checkpoint_replaces_what_comes_after_it(reading: Reading) -> None:
    reading.spec = spec(trial={**spec_document()["trial"], "metrics": {"source": "Logs", "logs": {"step": "epoch"}}})
    earlier = (Report(step, {"accuracy": step / 10}, 1_800_000_000.5 + step) for step in range(1, 6))
    await reading.trials.report(0, 1, ReportBatch(tuple(earlier)))

    async def read(log: TrialLog) -> None:
        opened = await log.open(stamped=True, began=1_800_000_010.0)
        await opened.feed(b"2027-01-15T08:00:11Z epoch=4 accuracy=0.9\n")

    reading.read_log = read
    reading.follow("Complete")
    await until(lambda: (0, 1) in reading.logs.read(STUDY), "the log is not read")
    kept = {report.step: report.values["accuracy"] for report in reading.trials.reports(0)}
    assert kept == {1: 0.1, 2: 0.2, 3: 0.3, 4: 0.9}


async def test_a_long_log_is_reported_in_batches_that_the_wire_allows(reading: Reading) -> None:
    async def read(log: TrialLog) -> None:
        opened = await log.open(stamped=False)
        await opened.feed(b"accuracy=0.5\n" * (2 * MAX_REPORTS_PER_BATCH + 1))

    reading.read_log = read
    reading.follow("Complete")
    await until(lambda: (0, 1) in reading.logs.read(STUDY), "the log is not read")
    assert reading.steps(0) == list(range(1, 2 * MAX_REPORTS_PER_BATCH + 2))


async def test_more_logs_than_may_be_read_at_once_wait_their_turn(
    reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_readings, "MOST_READ", 1)
    logs = LogReadings(lambda log: reading.read_log(log), reading.woken.append)
    reading.read_log = reading.read_lines
    jobs = [job(number) for number in range(2)]
    logs.follow(STUDY, SPEC, jobs, reading.trials)
    await until(lambda: reading.steps(0) == [1, 2], "the first is not read")
    assert reading.steps(1) == []
    ended = [replace(each, phase=JobPhase.COMPLETE) for each in jobs]
    logs.follow(STUDY, SPEC, ended, reading.trials)
    await until(lambda: len(logs.read(STUDY)) == 2, "the second is not read")
    assert reading.steps(1) == [1, 2, 3]
    await logs.close()


async def test_a_halt_ends_all_reading(reading: Reading) -> None:
    reading.follow("Running", "Running")
    await asyncio.sleep(0)
    await reading.logs.close()
    assert reading.logs.read(STUDY) == {}
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("log of")]
