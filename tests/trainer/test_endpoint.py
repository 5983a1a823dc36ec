from __future__ import annotations

import pytest

from tests.trainer.conftest import OpenEndpoint
from tests.trainer.fake_operator import Answer, FakeOperator, free_port
from tuning_contract import Report, ReportBatch, ReportReply, TrialEnvironmentError
from tuning_trainer.endpoint import EndpointUnavailable, ReportEndpoint, RequestRefused

BODY = ReportBatch((Report(1, {"loss": 0.5}),)).to_json()


def test_the_reply_is_returned_and_the_token_is_sent(operator: FakeOperator, open_endpoint: OpenEndpoint) -> None:
    operator.answers.append(Answer(body=b'{"stop": true, "reason": "Pruned"}'))
    assert open_endpoint().post(BODY) == ReportReply(stop=True, reason="Pruned")
    assert operator.authorizations == ["Bearer token"]


def test_one_connection_serves_all_posts(operator: FakeOperator, open_endpoint: OpenEndpoint) -> None:
    endpoint = open_endpoint()
    for _ in range(5):
        endpoint.post(BODY)
    assert (operator.connections, operator.authorizations) == (1, ["Bearer token"] * 5)


def test_an_idle_connection_that_the_server_closed_is_opened_again_at_once(
    operator: FakeOperator, open_endpoint: OpenEndpoint
) -> None:
    operator.answers.append(Answer(hang_up=True))
    endpoint = open_endpoint()
    endpoint.post(BODY)
    assert endpoint.post(BODY) == ReportReply()
    assert operator.connections == 2


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_passing_failure_is_to_be_repeated(operator: FakeOperator, open_endpoint: OpenEndpoint, status: int) -> None:
    operator.answers.append(Answer(status, b"storage is away"))
    with pytest.raises(EndpointUnavailable, match=f"status {status}: storage is away") as raised:
        open_endpoint().post(BODY)
    assert raised.value.retry_after is None


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("0", 0.0), ("99999999", 300.0), ("Fri, 31 Dec 2027 23:59:59 GMT", None)]
)
def test_retry_after_is_read_and_bounded(
    operator: FakeOperator, open_endpoint: OpenEndpoint, header: str, seconds: float | None
) -> None:
    operator.answers.append(Answer(503, headers={"Retry-After": header}))
    with pytest.raises(EndpointUnavailable) as raised:
        open_endpoint().post(BODY)
    assert raised.value.retry_after == seconds


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 409, 410, 413, 422])
def test_a_refusal_carries_the_servers_sentence(
    operator: FakeOperator, open_endpoint: OpenEndpoint, status: int
) -> None:
    operator.answers.append(Answer(status, b'{"error": "there is no trial 3"}'))
    with pytest.raises(RequestRefused, match=f"status {status}: there is no trial 3"):
        open_endpoint().post(BODY)


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"stop": "no"}', b"[" * 50_000])
def test_an_answer_of_something_else_is_to_be_repeated(
    operator: FakeOperator, open_endpoint: OpenEndpoint, body: bytes
) -> None:
    operator.answers.append(Answer(body=body))
    with pytest.raises(EndpointUnavailable, match="status 200, but"):
        open_endpoint().post(BODY)


def test_an_endless_answer_is_not_read_to_its_end(operator: FakeOperator, open_endpoint: OpenEndpoint) -> None:
    operator.answers.append(Answer(400, b"x" * 10_000_000))
    endpoint = open_endpoint()
    with pytest.raises(RequestRefused) as raised:
        endpoint.post(BODY)
    assert len(str(raised.value)) < 600
    assert endpoint.post(BODY) == ReportReply()


def test_a_cut_connection_is_to_be_repeated(operator: FakeOperator, open_endpoint: OpenEndpoint) -> None:
    operator.answers.append(Answer(cut=True))
    endpoint = open_endpoint()
    with pytest.raises(EndpointUnavailable, match="RemoteDisconnected"):
        endpoint.post(BODY)
    assert endpoint.post(BODY) == ReportReply()


def test_a_port_on_which_nobody_listens_is_to_be_repeated(open_endpoint: OpenEndpoint) -> None:
    with pytest.raises(EndpointUnavailable, match="ConnectionRefusedError"):
        open_endpoint(f"http://127.0.0.1:{free_port()}/").post(BODY)


def test_a_name_that_cannot_be_resolved_is_to_be_repeated(open_endpoint: OpenEndpoint) -> None:
    with pytest.raises(EndpointUnavailable):
        open_endpoint(f"http://{'a' * 64}.invalid/").post(BODY)


def test_proxies_are_ignored(
    operator: FakeOperator, open_endpoint: OpenEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    assert open_endpoint().post(BODY) == ReportReply()


@pytest.mark.parametrize(
    "url", ["", "operator:8080", "ftp://operator/", "http://", "http://operator:99999/", "http://["]
)
def test_an_unusable_address_is_an_error_at_once(url: str) -> None:
    with pytest.raises(TrialEnvironmentError, match="TUNING_REPORT_URL is"):
        ReportEndpoint(url)


@pytest.mark.parametrize("token", ["a\nb", "a\r\nX-Other: 1", "\N{SNOWMAN}"])
def test_an_unusable_token_is_an_error_that_does_not_show_it(token: str) -> None:
    with pytest.raises(TrialEnvironmentError, match="TUNING_REPORT_TOKEN") as raised:
        ReportEndpoint("http://operator/", token)
    assert token not in str(raised.value)


def test_without_a_token_none_is_sent(operator: FakeOperator, open_endpoint: OpenEndpoint) -> None:
    open_endpoint(token=None).post(BODY)
    assert operator.authorizations == [None]


def test_after_a_passing_failure_another_connection_is_made(
    operator: FakeOperator, open_endpoint: OpenEndpoint
) -> None:
    """Behind a Service a connection stays with one replica, and a standby takes no reports."""
    endpoint = open_endpoint()
    endpoint.post(BODY)
    operator.answers.append(Answer(503))
    with pytest.raises(EndpointUnavailable):
        endpoint.post(BODY)
    endpoint.post(BODY)
    assert operator.connections == 2
