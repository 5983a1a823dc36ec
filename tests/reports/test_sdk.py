"""The SDK in a process of its own against the real server."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from tests.builders import new_attempt
from tests.reports.running_server import STUDY, RunningServer, eventually, running_server
from tuning_contract import ExitCode, FinalState, TrialEnvironment
from tuning_operator.errors import StorageUnavailable
from tuning_operator.reports import reception
from tuning_operator.reports.credentials import report_token
from tuning_operator.reports.report_endpoint import report_url

TRAIN = """
import math
import tuning_trainer as tuning
trial = tuning.current_trial()
for step in range(1, 51):
    trial.report({"accuracy": step / 100, "loss": math.nan}, step=step)
"""

TRAIN_UNTIL_PRUNED = """
import time
import tuning_trainer as tuning
trial = tuning.current_trial()
for step in range(1, 10_000):
    trial.report({"accuracy": 0.1}, step=step)
    if trial.should_prune():
        trial.prune()
    time.sleep(0.01)
raise SystemExit("was never pruned")
"""


async def _train(operator: RunningServer, script: str, *, attempt: int = 1) -> int:
    """Run a training script as the operator would start it and return its exit code."""
    environment = TrialEnvironment(
        study=STUDY.name,
        namespace=STUDY.namespace,
        trial=0,
        attempt=attempt,
        parameters={"learning_rate": 0.1},
        report_url=report_url(operator.base, STUDY.uid, 0, attempt),
        report_token=report_token(operator.key, STUDY.uid, 0, attempt),
        objective="accuracy",
    )
    variables = {**os.environ, **environment.variables()}
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, env=variables)
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _steps(operator: RunningServer) -> list[int]:
    return [report.step for report in operator.repository.reports(0)]


async def test_every_report_of_a_training_arrives_in_order(operator: RunningServer) -> None:
    assert await _train(operator, TRAIN) == ExitCode.DONE
    assert _steps(operator) == list(range(1, 51))
    trial = operator.repository.history().open[0]
    assert trial.end is not None
    assert trial.end.state is FinalState.COMPLETE
    assert operator.metrics.registry.get_sample_value("tuning_reports_total") == 50


async def test_a_training_stops_when_the_answer_says_so(operator: RunningServer) -> None:
    training = asyncio.create_task(_train(operator, TRAIN_UNTIL_PRUNED))

    async def has_reported() -> bool:
        return bool(_steps(operator)) or training.done()

    await eventually(has_reported)
    operator.repository.decide_to_prune(0)
    assert await training == ExitCode.DONE
    trial = operator.repository.history().open[0]
    assert trial.end is not None
    assert trial.end.state is FinalState.PRUNED


async def test_nothing_is_lost_while_the_storage_is_away(
    operator: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reception, "_RETRY_STORAGE", 1.0)
    operator.repository.fail_next(StorageUnavailable("away"), StorageUnavailable("still away"))
    assert await _train(operator, TRAIN) == ExitCode.DONE
    assert _steps(operator) == list(range(1, 51))
    assert operator.rejections("StorageUnavailable") == 2


async def test_nothing_is_lost_while_the_study_is_not_loaded(
    operator: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reception, "_RETRY_NOT_OPEN", 1.0)
    repository = operator.repository
    await operator.repositories.close(STUDY.uid)
    training = asyncio.create_task(_train(operator, TRAIN))

    async def was_sent_away() -> bool:
        return operator.rejections("NotOpen") > 0 or training.done()

    await eventually(was_sent_away)
    await operator.repositories.open(STUDY, repository.spec)
    assert await training == ExitCode.DONE
    assert _steps(operator) == list(range(1, 51))


async def test_the_trial_of_a_deleted_study_ends_by_itself(operator: RunningServer) -> None:
    await operator.repositories.close(STUDY.uid)
    operator.deleted.add(STUDY.uid)
    assert await _train(operator, TRAIN_UNTIL_PRUNED) == ExitCode.DONE


async def test_an_attempt_that_was_replaced_ends_by_itself() -> None:
    async with running_server() as operator:
        await operator.repository.start_attempt(new_attempt(0, 2))
        assert await _train(operator, TRAIN_UNTIL_PRUNED, attempt=1) == ExitCode.DONE
        assert _steps(operator) == []
