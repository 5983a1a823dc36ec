"""A trial's own pod turned hostile: its credential is genuine, the storage is real, and its neighbour stays well."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.reports.running_server import STUDY, Answer, RunningServer, running_server
from tuning_contract.reports import MAX_METRICS_PER_REPORT, MAX_REPORTS_PER_BATCH, MAX_STEP
from tuning_operator.reports.credentials import report_token
from tuning_operator.reports.limits import Limits
from tuning_operator.search import open_trial
from tuning_operator.search.repositories import StudyRepositories

HOSTILE, NEIGHBOUR = 0, 1
LIMITS = Limits(attempt_rate=1.0, attempt_burst=400, body_seconds=2.0, linger_seconds=0.1)


@pytest_asyncio.fixture
async def pod(tmp_path: Path) -> AsyncIterator[RunningServer]:
    """A server with two trials."""
    repositories = StudyRepositories(f"sqlite:///{tmp_path}/tuning.db")
    try:
        async with running_server(LIMITS, trials=2, repositories=repositories) as server:
            yield server
    finally:
        await repositories.aclose()


def report(*steps: int, **values: float) -> dict[str, Any]:
    return {"reports": [{"step": step, "values": values or {"accuracy": 0.5}} for step in steps]}


async def neighbour_reports(pod: RunningServer, step: int = 1) -> None:
    assert (await pod.report(report(step), trial=NEIGHBOUR)).status == 200


def stored(pod: RunningServer, trial: int) -> list[tuple[int, float]]:
    return [(each.step, each.values["accuracy"]) for each in pod.repository.reports(trial)]


async def test_it_can_report_for_no_other_trial_attempt_or_study(pod: RunningServer) -> None:
    token = report_token(pod.key, STUDY.uid, HOSTILE, 1)
    others: list[dict[str, Any]] = [{"trial": NEIGHBOUR}, {"attempt": 2}, {"uid": "another"}, {"trial": 2**31}]
    assert [(await pod.report(report(1), token=token, **other)).status for other in others] == [401] * 4
    assert stored(pod, NEIGHBOUR) == []


async def test_it_can_rewrite_nothing_by_saying_it_again(pod: RunningServer) -> None:
    for accuracy in (0.5, 0.9, 1.0):
        assert (await pod.report(report(1, accuracy=accuracy))).status == 200
    assert stored(pod, HOSTILE) == [(1, 0.5)]


async def test_it_can_say_nothing_after_its_end(pod: RunningServer) -> None:
    assert (await pod.report({**report(1), "end": {"state": "Complete"}})).status == 200
    answer = await pod.report({**report(2, accuracy=1.0), "end": {"state": "Failed", "message": "no"}})
    assert answer.document["stop"] is True
    assert stored(pod, HOSTILE) == [(1, 0.5)]


async def test_a_flood_is_slowed_down_and_the_neighbour_is_served(pod: RunningServer) -> None:
    flood = [asyncio.create_task(pod.report(report(step))) for step in range(1000)]
    await neighbour_reports(pod)
    answers = Counter(answer.status for answer in await asyncio.gather(*flood))
    assert set(answers) == {200, 429}
    await neighbour_reports(pod, 2)


async def test_slow_bodies_take_no_place_from_the_neighbour(pod: RunningServer) -> None:
    slow = [await asyncio.open_connection("127.0.0.1", pod.port) for _ in range(100)]
    for _, writer in slow:
        writer.write(pod.head(200_000) + b"{")
    await neighbour_reports(pod)
    statuses = Counter([(await reader.readuntil(b"\r\n")).split()[1] for reader, _ in slow])
    assert set(statuses) == {b"408", b"429"}
    for _, writer in slow:
        writer.close()


async def test_large_bodies_are_refused_before_they_are_read(pod: RunningServer) -> None:
    answers = await asyncio.gather(*(pod.report(b" " * 10_000_000) for _ in range(8)))
    assert {answer.status for answer in answers} == {413}
    await neighbour_reports(pod)


async def test_steps_go_up_to_two_billion_and_not_beyond(pod: RunningServer) -> None:
    assert (await pod.report(report(1_000_000_000, MAX_STEP))).status == 200
    assert (await pod.report(report(MAX_STEP + 1))).status == 400
    assert [step for step, _ in stored(pod, HOSTILE)] == [1_000_000_000, MAX_STEP]


async def test_no_more_steps_are_kept_than_a_trial_needs(pod: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_trial, "MAX_STEPS", 2 * MAX_REPORTS_PER_BATCH)
    for first in (0, MAX_REPORTS_PER_BATCH):
        assert (await pod.report(report(*range(first, first + MAX_REPORTS_PER_BATCH)))).status == 200
    answer = await pod.report(report(MAX_STEP))
    assert answer.status == 400
    assert "at most 1,000 steps" in answer.document["error"]
    await neighbour_reports(pod)


async def test_metrics_with_ever_new_names_are_not_all_remembered(pod: RunningServer) -> None:
    for step in range(10):
        names = {f"{step:03}{metric:03}" + "/@:.-" * 24: 0.0 for metric in range(MAX_METRICS_PER_REPORT)}
        assert (await pod.report({"reports": [{"step": step, "values": names}]})).status == 200
    (trial, _) = pod.repository.history().open
    assert len(trial.metrics) <= open_trial.MAX_METRICS
    assert "@" not in pod.metrics.exposition().decode()


@pytest.mark.parametrize("message", ["\x00", "\ud800", "\x1b[2J\r\n{}", "\N{RIGHT-TO-LEFT OVERRIDE}" * 1024])
async def test_its_last_words_are_stored_whatever_they_are(pod: RunningServer, message: str) -> None:
    answer: Answer = await pod.report({"end": {"state": "Failed", "message": message}})
    assert answer.status == 200
    end = next(trial.end for trial in pod.repository.history().open if trial.number == HOSTILE)
    assert end is not None
    assert not set(end.message) & set("\x00\x1b\r\ud800")
