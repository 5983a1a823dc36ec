"""The HTTP surface against its own description: schemathesis sends what that allows, and what it does not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.reports.running_server import SPEC, STUDY, RunningServer, running_server
from tuning_operator.api.study import StudySpec
from tuning_operator.reports import openapi
from tuning_operator.reports.credentials import read_token, report_token
from tuning_operator.reports.limits import Limits
from tuning_operator.reports.read_api import TOKEN_HEADER

DESCRIPTION = schemathesis.openapi.from_dict(openapi.document())
DESCRIBED = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
"""Every answer is one that the description promises."""
UNLIMITED = Limits(attempt_rate=1e6, attempt_burst=10**6, study_rate=1e6, study_burst=10**6)
sampled = settings(max_examples=50, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """A server in a thread of its own, for schemathesis blocks."""
    started, stop = Future[RunningServer](), asyncio.Event()

    async def serve() -> None:
        async with running_server(UNLIMITED, trials=3) as running:
            started.set_result(running)
            await stop.wait()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=[serve()])
    thread.start()
    yield started.result(30)
    loop.call_soon_threadsafe(stop.set)
    thread.join(30)
    loop.close()


@DESCRIPTION.parametrize()
@sampled
def test_a_stranger_gets_the_answers_that_are_described(case: schemathesis.Case, server: RunningServer) -> None:
    response = case.call(base_url=server.base)
    case.validate_response(response, checks=DESCRIBED)
    assert response.status_code >= 400


@DESCRIPTION.include(operation_id="report").parametrize()
@sampled
def test_a_trial_gets_the_answers_that_are_described(case: schemathesis.Case, server: RunningServer) -> None:
    case.path_parameters = {"uid": STUDY.uid, "trial": 0, "attempt": 1}
    case.headers["Authorization"] = f"Bearer {report_token(server.key, STUDY.uid, 0, 1)}"
    case.call_and_validate(base_url=server.base, checks=[*DESCRIBED, positive_data_acceptance, negative_data_rejection])


@DESCRIPTION.include(operation_id="chooseParameter").parametrize()
@sampled
def test_code_gets_the_answers_that_are_described(case: schemathesis.Case, server: RunningServer) -> None:
    by_run = {**SPEC.to_document(), "parameters": [], "defineByRun": True}
    server.repository.spec = StudySpec.model_validate(by_run, by_alias=True)
    case.path_parameters = {"uid": STUDY.uid, "trial": 1, "attempt": 1}
    case.headers["Authorization"] = f"Bearer {report_token(server.key, STUDY.uid, 1, 1)}"
    # Which fields belong together, the schema does not say: a parameter that follows it may be refused.
    case.call_and_validate(base_url=server.base, checks=[*DESCRIBED, negative_data_rejection])
    server.repository.spec = SPEC


@DESCRIPTION.include(operation_id=["listTrials", "readTrial"]).parametrize()
@sampled
def test_a_reader_gets_the_answers_that_are_described(case: schemathesis.Case, server: RunningServer) -> None:
    case.path_parameters = {**case.path_parameters, "namespace": STUDY.namespace, "name": STUDY.name}
    case.headers[TOKEN_HEADER] = read_token(server.key, STUDY.uid)
    case.call_and_validate(base_url=server.base, checks=DESCRIBED)
