"""The OpenAPI description, held against itself and against real requests and answers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.reports.running_server import RunningServer, running_server
from tuning_contract import (
    FinalState,
    ParameterReply,
    ParameterRequest,
    Report,
    ReportBatch,
    ReportReply,
    TrialEnd,
    WireError,
)
from tuning_contract.environment import ParameterValue
from tuning_contract.parameters import PARAMETER_NAME
from tuning_operator.decisions.trials import EndState
from tuning_operator.errors import StorageUnavailable
from tuning_operator.ports import Outcome
from tuning_operator.reports import openapi, parameter_endpoint, read_api, report_endpoint
from tuning_operator.reports.limits import Limits

ROOT = Path(__file__).parents[2]
DOCUMENT = openapi.document()


def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"components": DOCUMENT["components"], "$ref": f"#/components/schemas/{name}"})


def _check(path: str, method: str, status: int, body: Any, headers: Mapping[str, str]) -> None:
    """Hold an answer against the description of its operation."""
    described = DOCUMENT["paths"][path][method]["responses"][str(status)]
    schema = described["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    _validator(schema).validate(body)
    assert ("Retry-After" in headers) == ("headers" in described)


def test_the_description_is_valid_openapi() -> None:
    validate = pytest.importorskip("openapi_spec_validator", reason="pip install openapi-spec-validator").validate
    validate(DOCUMENT)


def test_the_generated_file_is_up_to_date() -> None:
    assert (ROOT / openapi.REFERENCE).read_text() == openapi.text(), "run python -m tuning_operator.reports.openapi"


def test_the_check_of_the_generated_file_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"python -m tuning_operator\.reports\.openapi"):
        openapi.main(["--check"])
    openapi.main([])
    openapi.main(["--check"])


def test_the_described_paths_are_the_served_ones() -> None:
    served = (report_endpoint.ROUTE, parameter_endpoint.ROUTE, read_api.TRIALS_ROUTE, read_api.TRIAL_ROUTE)
    assert [re.sub(r"\{(\w+):(?:[^{}]|\{[^{}]*\})*\}", r"{\1}", route) for route in served] == list(DOCUMENT["paths"])


SCALARS = st.booleans() | st.integers(-(2**40), 2**40) | st.floats(-1e9, 1e9) | st.text("abc \u20ac", max_size=9)


@given(
    st.builds(
        ParameterRequest,
        name=st.from_regex(PARAMETER_NAME, fullmatch=True),
        type=st.sampled_from(["Float", "Int", "Categorical"]),
        low=st.none() | st.floats(-1e9, 1e9),
        high=st.none() | st.floats(-1e9, 1e9),
        step=st.none() | st.floats(1e-3, 1e3),
        scale=st.none() | st.sampled_from(["Linear", "Log"]),
        choices=st.none() | st.lists(SCALARS, min_size=1, max_size=4).map(tuple),
    )
)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_parameter_that_the_sdk_can_ask_for_follows_the_schema(request: ParameterRequest) -> None:
    _validator("ParameterRequest").validate(json.loads(request.to_json()))


@given(SCALARS)
def test_every_value_follows_the_schema_and_comes_back(value: ParameterValue) -> None:
    body = ParameterReply(value).to_json()
    _validator("ParameterReply").validate(json.loads(body))
    assert ParameterReply.from_json(body) == ParameterReply(value)


names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_./@:-]{0,20}", fullmatch=True)
reports = st.builds(
    Report,
    step=st.integers(0, 2**31 - 1),
    values=st.dictionaries(names, st.floats(), min_size=1, max_size=3),
    time=st.none() | st.floats(0, 4e9),
)
batches = st.builds(
    ReportBatch,
    reports=st.lists(reports, max_size=3).map(tuple),
    end=st.none() | st.builds(TrialEnd, st.sampled_from(FinalState), st.text(max_size=20)),
)


@given(batches)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_batch_that_the_sdk_can_send_follows_the_schema(batch: ReportBatch) -> None:
    _validator("ReportBatch").validate(json.loads(batch.to_json()))


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"report": []},
        {"reports": [{"step": 1}]},
        {"reports": [{"step": 2**31, "values": {"a": 1}}]},
        {"reports": [{"step": "1", "values": {"a": 1}}]},
        {"reports": [{"step": 1, "values": {}}]},
        {"reports": [{"step": 1, "values": {"a b": 1}}]},
        {"reports": [{"step": 1, "values": {"a": "nan"}}]},
        {"reports": [{"step": 1, "values": {"a": None}}]},
        {"reports": [{"step": 1, "values": {"a": 1}, "time": -1}]},
        {"reports": [{"step": 1, "values": {str(i): i for i in range(65)}}]},
        {"reports": [{"step": 1, "values": {"a": 1}}] * 501},
        {"end": {"state": "Running"}},
        {"end": {"state": "Failed", "message": "m" * 1025}},
    ],
)
def test_what_the_contract_refuses_the_schema_refuses(body: Any) -> None:
    with pytest.raises(WireError):
        ReportBatch.from_json(json.dumps(body).encode())
    assert not _validator("ReportBatch").is_valid(body)


def test_a_reply_follows_the_schema() -> None:
    for reply in (ReportReply(), ReportReply(stop=True, reason="Pruned")):
        _validator("ReportReply").validate(json.loads(reply.to_json()))


async def test_answers_to_reports_follow_the_description() -> None:
    report = {"reports": [{"step": 1, "values": {"accuracy": "NaN"}}]}
    async with running_server(Limits(attempt_rate=0.01, attempt_burst=6)) as operator:
        answers = [
            await operator.report(report),
            await operator.report({}),
            await operator.report(b"{"),
            await operator.report(report, token="wrong"),
            await operator.report(report, trial=9),
            await operator.report(b" " * 300_000),
            await operator.report(report, headers={"Content-Type": "text/plain"}),
            await operator.report(report, uid="not-loaded"),
        ]
        for error in (StorageUnavailable("away"), ZeroDivisionError()):
            operator.repository.fail_next(error)
            answers.append(await operator.report(report))
        answers += [await operator.report(report) for _ in range(2)]
    statuses = [answer.status for answer in answers]
    assert statuses == [200, 200, 400, 401, 404, 413, 415, 503, 503, 500, 200, 429]
    for answer in answers:
        _check(openapi.REPORTS_PATH, "post", answer.status, answer.document, answer.headers)


async def test_pages_of_trials_follow_the_description() -> None:
    async with running_server(trials=4) as operator:
        await _make_history(operator)
        for query, status in (("", 200), ("?limit=2", 200), ("?after=99", 200), ("?limit=0", 400)):
            answer = await operator.read(query)
            assert answer.status == status
            _check(openapi.TRIALS_PATH, "get", status, answer.document, answer.headers)
        refused = await operator.read("", token="wrong")
        _check(openapi.TRIALS_PATH, "get", 403, refused.document, refused.headers)


async def test_single_trials_follow_the_description() -> None:
    async with running_server(trials=4) as operator:
        await _make_history(operator)
        for number in range(4):
            answer = await operator.read(f"/{number}")
            _check(openapi.TRIAL_PATH, "get", 200, answer.document, answer.headers)
        unknown = await operator.read("/4")
        _check(openapi.TRIAL_PATH, "get", 404, unknown.document, unknown.headers)


async def _make_history(operator: RunningServer) -> None:
    """Let one trial wait, one run, one be complete and one have failed."""
    for trial in (1, 2):
        body = {"reports": [{"step": 1, "values": {"accuracy": 0.5, "loss": "Infinity"}, "time": 1.7e9}]}
        assert (await operator.report(body, trial=trial)).status == 200
    await operator.repository.tell(
        [
            Outcome(2, EndState.COMPLETE, 0.5, "Completed", "", 2.5),
            Outcome(3, EndState.FAILED, None, "Error", "exit code 1", 0.0),
        ]
    )
