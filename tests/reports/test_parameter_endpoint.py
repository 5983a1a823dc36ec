"""Parameters that a trial's code names, over HTTP: from the SDK to the study's history."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.reports.running_server import SPEC, STUDY, Answer, RunningServer, running_server
from tuning_contract import ExitCode, FinalState, TrialEnvironment
from tuning_operator.api.study import StudySpec
from tuning_operator.errors import LeaseLost, SearchFailed, SearchUnavailable, StorageUnavailable
from tuning_operator.reports import reception
from tuning_operator.reports.credentials import report_token
from tuning_operator.reports.report_endpoint import report_url

RATE = {"name": "rate", "type": "Float", "low": 0.5, "high": 1.5}


@pytest_asyncio.fixture
async def operator() -> AsyncIterator[RunningServer]:
    """Serve one study, defined by run, with one trial."""
    async with running_server() as running:
        document = {**SPEC.to_document(), "parameters": [], "defineByRun": True}
        running.repository.spec = StudySpec.model_validate(document, by_alias=True)
        yield running


async def ask(operator: RunningServer, body: Any, *, trial: int = 0, token: str | None = None) -> Answer:
    """POST a body with the attempt's own credential unless told otherwise."""
    token = report_token(operator.key, STUDY.uid, trial, 1) if token is None else token
    url = report_url(operator.base, STUDY.uid, trial, 1).replace("/reports", "/parameters")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with operator.client.post(url, data=data, headers=headers) as response:
        return Answer(response.status, response.headers, await response.read())


async def test_a_parameter_is_answered_with_its_value(operator: RunningServer) -> None:
    answer = await ask(operator, RATE)
    assert (answer.status, answer.document) == (200, {"value": 0.5})
    assert operator.repository.history().open[0].parameters["rate"] == 0.5


async def test_a_stranger_gets_no_value(operator: RunningServer) -> None:
    assert (await ask(operator, RATE, token="x")).status == 401
    assert "rate" not in operator.repository.history().open[0].parameters


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ([], "the parameter: must be an object with fields"),
        (b"{", "the body is not JSON"),
        (b'{"name": "rate", "type": "Float", "low": NaN, "high": 1}', "NaN is not JSON"),
        ({"name": "rate", "type": "Float", "low": 2, "high": 1}, "`low` (2) is above `high` (1); swap them"),
        ({"name": "a b", "type": "Float", "low": 1, "high": 1}, "name: must consist of at most 128 letters"),
        ({"name": "x" * 129, "type": "Float", "low": 1, "high": 1}, "name: must consist of at most 128 letters"),
        ({"name": "rate", "type": "Fixed", "value": 1}, "belongs into the study's `parameters`"),
        ({**RATE, "when": {"parameter": "a", "in": [1]}}, "belongs into the study's `parameters`"),
        ({"name": "kind", "type": "Categorical", "choices": []}, "choices: must have at least 1 item"),
        ({"name": "kind", "type": "Categorical", "choices": [{"a": 1}]}, "not an object"),
        ({**RATE, "secret": 1}, "secret: unknown field"),
    ],
)
async def test_what_is_no_parameter_is_refused_with_a_sentence(
    operator: RunningServer, body: Any, sentence: str
) -> None:
    answer = await ask(operator, body)
    assert answer.status == 400
    assert sentence in answer.document["error"]
    assert operator.rejections("Malformed") == 1


async def test_a_trial_that_is_not_running_gets_no_value(operator: RunningServer) -> None:
    assert (await ask(operator, RATE, trial=7)).status == 404


async def test_a_parameter_of_another_kind_conflicts(operator: RunningServer) -> None:
    await ask(operator, RATE)
    answer = await ask(operator, {"name": "rate", "type": "Categorical", "choices": ["a"]})
    assert answer.status == 409
    assert "a Float on a Linear scale" in answer.document["error"]
    assert operator.rejections("NotChosen") == 1


async def test_a_study_that_is_not_defined_by_run_says_what_to_do(operator: RunningServer) -> None:
    operator.repository.spec = SPEC
    answer = await ask(operator, RATE)
    assert answer.status == 409
    assert "defineByRun" in answer.document["error"]


@pytest.mark.parametrize("error", [StorageUnavailable("away"), SearchUnavailable("died"), LeaseLost("another")])
async def test_what_could_not_be_stored_is_to_be_asked_for_again(operator: RunningServer, error: Exception) -> None:
    operator.repository.fail_next(error)
    answer = await ask(operator, RATE)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert (await ask(operator, RATE)).status == 200


async def test_what_the_sampler_could_not_choose_is_told_to_the_trial_and_in_the_studys_status(
    operator: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    operator.repository.fail_next(SearchFailed("the sampler TPE failed"))
    answer = await ask(operator, RATE)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
    assert answer.document["error"] == "the sampler TPE failed"
    assert operator.woken == [STUDY.uid]
    assert "Traceback" in caplog.text
    assert operator.rejections("Internal") == 1
    assert (await ask(operator, RATE)).status == 200


OBJECTIVE = """
import tuning_trainer as tuning

def objective(trial):
    rate = trial.suggest_float("rate", 0.5, 1.5)
    kind = trial.suggest_categorical("kind", [None, "a", (1, 2)])
    layers = trial.suggest_int("layers", 2, 8, step=2)
    assert kind is None, kind
    return rate + layers

trial = tuning.optuna_trial()
trial.complete(objective(trial))
"""


async def test_an_objective_of_optuna_s_runs_unchanged_while_the_storage_comes_and_goes(
    operator: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reception, "_RETRY_STORAGE", 1.0)
    operator.repository.fail_next(StorageUnavailable("away"))
    assert await _run(operator, OBJECTIVE) == (ExitCode.DONE, "")
    trial = operator.repository.history().open[0]
    assert trial.end is not None
    assert trial.end.state is FinalState.COMPLETE
    assert trial.value == 2.5
    named = {name: value for name, value in trial.parameters.items() if name != "learning_rate"}
    assert named == {"rate": 0.5, "kind": "None", "layers": 2}


async def test_a_name_that_means_two_things_fails_the_trial_with_a_sentence(operator: RunningServer) -> None:
    another = 'tuning.optuna_trial().suggest_int("rate", 2, 8'  # which does not know what the first one asked for
    twice = OBJECTIVE.replace('trial.suggest_int("layers", 2, 8, step=2', another)
    assert twice != OBJECTIVE
    code, errors = await _run(operator, twice)
    assert code == 1
    assert "the study gives parameter 'rate' no value" in errors
    trial = operator.repository.history().open[0]
    assert trial.end is not None
    assert trial.end.state is FinalState.FAILED
    assert "`rate` was a Float" in trial.end.message


async def _run(operator: RunningServer, script: str) -> tuple[int, str]:
    url = report_url(operator.base, STUDY.uid, 0, 1)
    environment = TrialEnvironment(
        study=STUDY.name,
        namespace=STUDY.namespace,
        trial=0,
        parameters={},
        report_url=url,
        report_token=report_token(operator.key, STUDY.uid, 0, 1),
        parameter_url=url.replace("/reports", "/parameters"),
        objective="accuracy",
    )
    variables = {**os.environ, **environment.variables()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, env=variables, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, errors.decode() if process.returncode else ""
