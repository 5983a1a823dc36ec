"""Reading a study's trials over HTTP."""

from __future__ import annotations

import asyncio
import math

import pytest

from tests.reports.running_server import STUDY, RunningServer, eventually, running_server
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.decisions.trials import EndState
from tuning_operator.errors import StorageUnavailable
from tuning_operator.ports import Outcome
from tuning_operator.reports.credentials import read_token, report_token
from tuning_operator.reports.limits import Limits
from tuning_operator.reports.trial_document import trial_document


async def test_a_page_shows_the_trials_in_the_order_of_their_numbers() -> None:
    async with running_server(trials=3) as operator:
        await operator.repository.tell([Outcome(1, EndState.COMPLETE, 0.5, "Completed", "", 2.0)])
        answer = await operator.read("")
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "application/json"
        expected = [trial_document(trial) for trial in operator.repository.trials(-1, 10)]
        assert answer.document == {"trials": expected, "next": None}


async def test_pages_follow_one_another_until_the_end() -> None:
    async with running_server(trials=250) as operator:
        seen = list[int]()
        after: int | None = -1
        while after is not None:
            page = (await operator.read(f"?after={after}&limit=120")).document
            seen += [trial["number"] for trial in page["trials"]]
            after = page["next"]
        assert seen == list(range(250))


async def test_a_page_of_a_thousand_trials_is_streamed_whole() -> None:
    async with running_server(trials=1_500) as operator:
        page = (await operator.read("?limit=1000")).document
        assert [trial["number"] for trial in page["trials"]] == list(range(1_000))
        assert page["next"] == 999


async def test_a_study_without_trials_has_an_empty_page() -> None:
    async with running_server(trials=0) as operator:
        assert (await operator.read("")).document == {"trials": [], "next": None}


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=many", "limit=", "after=-2", "after=1e3"])
async def test_a_page_that_cannot_be_is_refused(operator: RunningServer, query: str) -> None:
    answer = await operator.read(f"?{query}")
    assert answer.status == 400
    assert query.partition("=")[0] in answer.document["error"]


async def test_a_trial_is_shown_with_its_reports(operator: RunningServer) -> None:
    values = {"accuracy": 0.5, "loss": "NaN"}
    await operator.report({"reports": [{"step": 1, "values": values, "time": 1_760_000_000.0}]})
    document = (await operator.read("/0")).document
    assert (document["number"], document["state"], document["value"]) == (0, "RUNNING", 0.5)
    assert document["reports"] == [
        {"attempt": 1, "run": 0, "step": 1, "values": values, "time": "2025-10-09T08:53:20.000Z"}
    ]


async def test_an_objective_that_is_not_a_number_is_shown_as_text(operator: RunningServer) -> None:
    await operator.report({"reports": [{"step": 1, "values": {"accuracy": "-Infinity"}}]})
    assert (await operator.read("/0")).document["value"] == "-Infinity"
    assert operator.repository.history().open[0].value == -math.inf


async def test_an_unknown_trial_is_not_found(operator: RunningServer) -> None:
    for number in ("1", "9999999999"):
        answer = await operator.read(f"/{number}")
        assert (answer.status, list(answer.document)) == (404, ["error"])


@pytest.mark.parametrize("path", ["", "/0"])
async def test_a_credential_that_is_not_this_studys_is_refused(operator: RunningServer, path: str) -> None:
    for token in (read_token(operator.key, "another"), report_token(operator.key, STUDY.uid, 0, 1), ""):
        answer = await operator.read(path, token=token)
        assert (answer.status, list(answer.document)) == (403, ["error"])


async def test_the_token_of_an_earlier_study_of_the_same_name_is_refused(operator: RunningServer) -> None:
    earlier = StudyKey(STUDY.namespace, STUDY.name, "99999999-2222-3333-4444-555555555555")
    assert (await operator.read("", study=earlier)).status == 403


async def test_a_reader_cannot_tell_which_studies_exist(operator: RunningServer) -> None:
    unknown = await operator.read("", study=StudyKey("team", "secret", "u"), token="wrong")
    known = await operator.read("", token="wrong")
    assert (unknown.status, unknown.body) == (known.status, known.body)
    # not even with the token that an empty uid would have
    assert (await operator.read("", study=StudyKey("team", "secret", ""))).status == 403


async def test_reports_that_cannot_be_read_now_are_asked_for_again(
    operator: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(number: int) -> list[object]:
        raise StorageUnavailable("password=secret")

    monkeypatch.setattr(operator.repository, "reports", fail)
    answer = await operator.read("/0")
    assert answer.status == 503
    assert "Retry-After" in answer.headers
    assert "secret" not in answer.document["error"]


async def test_many_readers_wait_for_one_another_and_reporting_goes_on() -> None:
    async with running_server(Limits(readers=0)) as operator:
        answer = await operator.read("")
        assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
        assert (await operator.report({"reports": []})).status == 200


async def test_a_reader_that_leaves_in_the_middle_of_a_page_frees_its_place() -> None:
    async with running_server(Limits(readers=1), trials=1_000) as operator:
        path = f"/v1/studies/{STUDY.namespace}/{STUDY.name}/trials?limit=1000"
        token = read_token(operator.key, STUDY.uid)
        for _ in range(3):
            _, writer = await asyncio.open_connection("127.0.0.1", operator.port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: o\r\nX-Tuning-Read-Token: {token}\r\n\r\n".encode())
            await writer.drain()
            writer.transport.abort()

        async def page_is_served() -> bool:
            answer = await operator.read("?limit=1000")
            return answer.status == 200 and len(answer.document["trials"]) == 1_000

        await eventually(page_is_served)
