from __future__ import annotations

import http.client
import http.server
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from tests.support.fault_proxy import FaultProxy
from tests.support.fault_rules import Answer, Behaviour, Cut, Delay, Hang, LoseAnswer, Rule


class Server(http.server.ThreadingHTTPServer):
    """Counts what reaches it; a watch gets one line and then nothing."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.paths: list[str] = []
        self.closing = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"first\n")
        if "watch" in self.path:
            self.server.closing.wait()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.closing.set()
        made.shutdown()


@pytest.fixture
def proxy(server: Server) -> Iterator[FaultProxy]:
    with FaultProxy(lambda: [server.url]) as made:
        yield made


def get(proxy: FaultProxy, path: str = "/jobs", timeout: float = 10) -> str:
    with urllib.request.urlopen(proxy.url + path, timeout=timeout) as answer:
        return str(answer.read().decode())


def test_everything_passes_without_a_rule(proxy: FaultProxy, server: Server) -> None:
    assert get(proxy, "/jobs?limit=1") == "first\n"
    assert server.paths == ["/jobs?limit=1"]


def test_an_answer_is_given_in_the_servers_place_as_often_as_it_says(proxy: FaultProxy, server: Server) -> None:
    proxy.add(Rule(Answer(429, retry_after=3), path="jobs", times=1))
    with pytest.raises(urllib.error.HTTPError, match="429") as refused:
        get(proxy)
    assert refused.value.headers["Retry-After"] == "3"
    refused.value.close()
    assert server.paths == []
    assert get(proxy) == "first\n"


def test_a_rule_meets_only_what_it_names(proxy: FaultProxy) -> None:
    proxy.add(Rule(Cut(), path="pods"))
    proxy.add(Rule(Cut(), methods=("POST",)))
    proxy.add(Rule(Cut(), watches=True))
    assert get(proxy) == "first\n"


@pytest.mark.parametrize(("behaviour", "reached"), [(Cut(), 0), (LoseAnswer(), 1)])
def test_a_lost_answer_reached_the_server_and_a_cut_request_did_not(
    proxy: FaultProxy, server: Server, behaviour: Behaviour, reached: int
) -> None:
    proxy.add(Rule(behaviour))
    with pytest.raises(OSError, match=r"reset|closed"):
        get(proxy)
    assert len(server.paths) == reached


def test_nobody_answers_what_hangs_until_the_rule_is_removed(proxy: FaultProxy) -> None:
    rule = proxy.add(Rule(Hang()))
    with pytest.raises(TimeoutError):
        get(proxy, timeout=0.3)
    proxy.remove(rule)
    assert get(proxy) == "first\n"


def test_a_delayed_request_is_answered(proxy: FaultProxy) -> None:
    rule = proxy.add(Rule(Delay(0.1)))
    assert get(proxy) == "first\n"
    assert rule.hits == 1


def test_a_watch_can_be_told_lines_and_ended(proxy: FaultProxy) -> None:
    with urllib.request.urlopen(f"{proxy.url}/jobs?watch=true", timeout=10) as stream:
        assert stream.readline() == b"first\n"
        assert proxy.send_into_streams(b"inserted") == 1
        assert stream.readline() == b"inserted\n"
        assert proxy.end_streams() == 1
        with pytest.raises((OSError, http.client.HTTPException)):
            stream.read()


def test_a_silent_watch_stays_open(proxy: FaultProxy) -> None:
    with urllib.request.urlopen(f"{proxy.url}/jobs?watch=true", timeout=0.5) as stream:
        assert stream.readline() == b"first\n"
        assert proxy.silence_streams() == 1
        with pytest.raises(TimeoutError):
            stream.readline()
