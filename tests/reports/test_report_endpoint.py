"""What trials report, and what they are answered."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.builders import new_attempt
from tests.reports.running_server import STUDY, RunningServer, running_server
from tuning_contract import ReportBatch
from tuning_operator.decisions.trials import EndState
from tuning_operator.errors import LeaseLost, StorageUnavailable, StudyGone, TooManySteps
from tuning_operator.ports import Outcome, ReportAnswer
from tuning_operator.reports.credentials import read_token, report_token
from tuning_operator.reports.report_endpoint import report_url

ACCURACY = {"reports": [{"step": 1, "values": {"accuracy": 0.5}}]}
GO_ON = {"stop": False, "reason": ""}


async def test_a_report_is_stored_and_answered(operator: RunningServer) -> None:
    answer = await operator.report(ACCURACY)
    assert (answer.status, answer.document) == (200, GO_ON)
    assert answer.headers["Content-Type"] == "application/json"
    assert [dict(report.values) for report in operator.repository.reports(0)] == [{"accuracy": 0.5}]


async def test_a_repeated_report_is_acknowledged_and_stored_once(operator: RunningServer) -> None:
    await operator.report(ACCURACY)
    again = await operator.report({"reports": [{"step": 1, "values": {"accuracy": 0.9}}]})
    assert (again.status, again.document) == (200, GO_ON)
    assert [dict(report.values) for report in operator.repository.reports(0)] == [{"accuracy": 0.5}]


async def test_the_study_is_woken_when_the_answer_says_so(operator: RunningServer) -> None:
    await operator.report(ACCURACY)
    await operator.report({"reports": [{"step": 2, "values": {"accuracy": 0.6}}]})
    assert operator.woken == [STUDY.uid]
    await operator.report({"end": {"state": "Complete"}})
    assert operator.woken == [STUDY.uid, STUDY.uid]


async def test_the_reply_carries_the_decision_to_prune(operator: RunningServer) -> None:
    operator.repository.prune_on_report.add(0)
    answer = await operator.report(ACCURACY)
    assert answer.document == {"stop": True, "reason": "Pruned"}


async def test_numbers_that_json_does_not_know_arrive_as_strings(operator: RunningServer) -> None:
    values = {"accuracy": 0.5, "a": "NaN", "b": "Infinity", "c": "-Infinity"}
    answer = await operator.report({"reports": [{"step": 1, "values": values}]})
    assert answer.status == 200
    stored = operator.repository.reports(0)[0].values
    assert math.isnan(stored["a"])
    assert (stored["b"], stored["c"]) == (math.inf, -math.inf)


async def test_too_many_steps_are_refused_with_a_way_out(
    operator: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentence = "a trial may report at most 3 steps; report less often, for example once an epoch"

    async def full(*_: object, **__: object) -> ReportAnswer:
        raise TooManySteps(sentence)

    monkeypatch.setattr(operator.repository, "report", full)
    answer = await operator.report(ACCURACY)
    assert (answer.status, answer.document) == (400, {"error": sentence})


async def test_an_older_attempt_is_told_to_stop(operator: RunningServer) -> None:
    await operator.repository.start_attempt(new_attempt(0, 2))
    answer = await operator.report(ACCURACY, attempt=1)
    assert answer.document == {"stop": True, "reason": "Superseded"}
    assert operator.repository.reports(0) == []


async def test_a_finished_trial_is_told_to_stop(operator: RunningServer) -> None:
    await operator.repository.tell([Outcome(0, EndState.FAILED, None, "Error", "", 1.0)])
    answer = await operator.report(ACCURACY)
    assert answer.document == {"stop": True, "reason": "Ended"}


@pytest.mark.parametrize(
    "foreign",
    [
        pytest.param(lambda key: report_token(key, STUDY.uid, 1, 1), id="of another trial"),
        pytest.param(lambda key: report_token(key, STUDY.uid, 0, 2), id="of another attempt"),
        pytest.param(lambda key: report_token(key, "another", 0, 1), id="of another study"),
        pytest.param(lambda key: report_token(b"x" * 32, STUDY.uid, 0, 1), id="of another operator"),
        pytest.param(lambda key: read_token(key, STUDY.uid), id="for reading"),
        pytest.param(lambda key: "", id="empty"),
        pytest.param(lambda key: "\N{SNOWMAN}" * 50, id="not ASCII"),
    ],
)
async def test_a_credential_that_is_not_this_attempts_is_refused(
    operator: RunningServer, foreign: Callable[[bytes], str]
) -> None:
    answer = await operator.report(ACCURACY, token=foreign(operator.key))
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert operator.repository.reports(0) == []
    assert operator.rejections("Forbidden") == 1


async def test_trials_of_a_study_that_may_be_opened_yet_come_again_whatever_their_credential() -> None:
    """An operator with another database has another key: its answer must not end the trials."""
    async with running_server(awaited=["not-open-yet"]) as operator:
        answer = await operator.report(ACCURACY, uid="not-open-yet", token="of another database")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
        assert operator.rejections("NotOpen") == 1


async def test_a_stranger_cannot_tell_which_studies_exist(operator: RunningServer) -> None:
    known = await operator.report(b"not even JSON", token="wrong")
    unknown = await operator.report(b"not even JSON", uid="no-such-study", token="wrong")
    assert (known.status, known.body) == (unknown.status, unknown.body)


async def test_a_trial_that_was_never_asked_for_is_not_found(operator: RunningServer) -> None:
    answer = await operator.report(ACCURACY, trial=7)
    assert answer.status == 404
    assert "trial 7" in answer.document["error"]


async def test_a_study_that_is_not_loaded_yet_is_asked_for_again(operator: RunningServer) -> None:
    answer = await operator.report(ACCURACY, uid="not-loaded-yet")
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) >= 1


async def test_the_trials_of_a_deleted_study_are_told_to_stop(operator: RunningServer) -> None:
    operator.deleted.add("deleted")
    answer = await operator.report(ACCURACY, uid="deleted")
    assert (answer.status, answer.document) == (200, {"stop": True, "reason": "StudyGone"})


async def test_a_study_deleted_while_its_report_is_stored_stops_its_trial(operator: RunningServer) -> None:
    operator.repository.fail_next(StudyGone("deleted"))
    assert (await operator.report(ACCURACY)).document == {"stop": True, "reason": "StudyGone"}


@pytest.mark.parametrize("error", [StorageUnavailable("password=secret"), LeaseLost("another is active")])
async def test_nothing_is_acknowledged_while_nothing_can_be_stored(operator: RunningServer, error: Exception) -> None:
    operator.repository.fail_next(error)
    answer = await operator.report(ACCURACY)
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert "secret" not in answer.document["error"]
    assert operator.repository.reports(0) == []
    assert (await operator.report(ACCURACY)).document == GO_ON
    assert len(operator.repository.reports(0)) == 1


async def test_a_defect_is_logged_with_its_trial_and_not_shown(
    operator: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    operator.repository.fail_next(ZeroDivisionError("a secret of the process"))
    answer = await operator.report(ACCURACY)
    assert answer.status == 500
    assert "secret" not in answer.document["error"]
    assert f"{STUDY.uid}/trials/0/attempts/1" in caplog.text
    assert "ZeroDivisionError" in caplog.text


async def test_a_report_is_acknowledged_only_after_it_is_stored(
    operator: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, commit = asyncio.Event(), asyncio.Event()
    store = operator.repository.report

    async def store_slowly(number: int, attempt: int, batch: ReportBatch, *, run: int) -> ReportAnswer:
        reached.set()
        await commit.wait()
        return await store(number, attempt, batch, run=run)

    monkeypatch.setattr(operator.repository, "report", store_slowly)
    answering = asyncio.create_task(operator.report(ACCURACY))
    await reached.wait()
    assert not answering.done()
    commit.set()
    assert (await answering).document == GO_ON


async def test_what_was_served_is_measured(operator: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    store = operator.repository.report

    async def decide(number: int, attempt: int, batch: ReportBatch, *, run: int) -> ReportAnswer:
        return replace(await store(number, attempt, batch, run=run), decision_seconds=0.002)

    monkeypatch.setattr(operator.repository, "report", decide)
    await operator.report({"reports": [{"step": step, "values": {"accuracy": 0.5}} for step in (1, 2, 3)]})
    sample = operator.metrics.registry.get_sample_value
    assert sample("tuning_report_seconds_count") == 1
    assert sample("tuning_reports_total") == 3
    assert sample("tuning_prune_decision_seconds_sum") == pytest.approx(0.002)


async def test_reports_of_many_trials_are_served_side_by_side() -> None:
    async with running_server(trials=50) as operator:
        answers = await asyncio.gather(*(operator.report(ACCURACY, trial=trial) for trial in range(50)))
        assert {answer.status for answer in answers} == {200}
        assert all(len(operator.repository.reports(trial)) == 1 for trial in range(50))


def test_the_address_of_reports_hangs_below_any_base() -> None:
    expected = "http://operator:8080/v1/studies/u/trials/3/attempts/2/reports"
    assert report_url("http://operator:8080", "u", 3, 2) == expected
    assert report_url("http://operator:8080/", "u", 3, 2) == expected
