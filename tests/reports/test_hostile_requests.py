"""Requests that no SDK sends: each is refused with a sentence, stores nothing and harms nobody else."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.reports.running_server import RunningServer, running_server
from tuning_contract.reports import MAX_BODY_BYTES
from tuning_operator.reports.limits import Limits

BRIEF = Limits(header_seconds=1.0, body_seconds=1.0, linger_seconds=0.1)


def _body(step: object = 1, values: object = None, **more: object) -> bytes:
    return json.dumps({"reports": [{"step": step, "values": values or {"accuracy": 1.0}}], **more}).encode()


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        pytest.param(b"", "not JSON", id="empty"),
        pytest.param(b"accuracy=0.5", "not JSON", id="a form"),
        pytest.param(b"\xff\xfe\x00", "not JSON", id="no text"),
        pytest.param(b"[" * 200_000, "not JSON", id="deep nesting"),
        pytest.param(b"1" * 200_000, "not JSON", id="a number of 200,000 digits"),
        pytest.param(b"[]", "must be a JSON object", id="a list"),
        pytest.param(_body(values={"accuracy": float("nan")}), "NaN is not JSON", id="a NaN literal"),
        pytest.param(_body(values={"accuracy": float("inf")}), "Infinity is not JSON", id="an infinity literal"),
        pytest.param(_body(values={"accuracy": 10**400}), "too large", id="a number beyond floats"),
        pytest.param(_body(values={"accuracy": "good"}), "must be a number", id="a word"),
        pytest.param(_body(values={"accuracy": True}), "must be a number", id="a boolean"),
        pytest.param(_body(values={"accuracy": {"a": 1}}), "must be a number", id="an object"),
        pytest.param(_body(step=2**31), "whole number", id="a step of 2^31"),
        pytest.param(_body(step=-1), "whole number", id="a negative step"),
        pytest.param(_body(step=1.5), "whole number", id="half a step"),
        pytest.param(_body(values={"": 1}), "not a metric name", id="a metric without a name"),
        pytest.param(_body(values={"a" * 129: 1}), "not a metric name", id="a metric name too long"),
        pytest.param(_body(values={"a\x00b": 1}), "not a metric name", id="a metric name with NUL"),
        pytest.param(_body(values={"'; DROP TABLE trials; --": 1}), "not a metric name", id="SQL for a metric name"),
        pytest.param(_body(values={"\ud800": 1}), "not a metric name", id="half a surrogate pair"),
        pytest.param(_body(values={"x\naccuracy": 1}), "not a metric name", id="a metric name with a new line"),
        pytest.param(_body(trial=5), "unknown field", id="an unknown field"),
        pytest.param(_body(end={"state": "Won"}), "end.state", id="an unknown state"),
        pytest.param(_body(end={"state": "Failed", "message": "m" * 1025}), "end.message", id="a long message"),
    ],
)
async def test_a_body_that_breaks_the_wire_format_is_refused(
    operator: RunningServer, body: bytes, sentence: str
) -> None:
    answer = await operator.report(body)
    assert answer.status == 400
    assert sentence in answer.document["error"]
    assert operator.repository.reports(0) == []
    assert operator.rejections("Malformed") == 1


async def test_a_body_of_ten_megabytes_is_refused(operator: RunningServer) -> None:
    answer = await operator.report(b" " * 10_000_000)
    assert answer.status == 413
    assert str(MAX_BODY_BYTES) in answer.document["error"]


async def test_a_chunked_body_is_refused_when_it_grows_too_long() -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    async with running_server(BRIEF) as operator:
        head = operator.head(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
        assert b" 413 " in await _exchange(operator, head + 5 * chunk)


async def test_a_broken_chunk_is_refused(operator: RunningServer) -> None:
    head = operator.head(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    assert b" 400 " in await _exchange(operator, head + b"zz\r\n")


async def test_a_compressed_body_is_refused_without_reading_it(operator: RunningServer) -> None:
    answer = await operator.report(_body(), headers={"Content-Encoding": "gzip"})
    assert answer.status == 415
    assert "Content-Encoding" in answer.document["error"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json"])
async def test_a_wrong_content_type_is_refused(operator: RunningServer, kind: str) -> None:
    answer = await operator.report(_body(), headers={"Content-Type": kind})
    assert answer.status == 415
    assert "application/json" in answer.document["error"]


async def test_a_content_type_with_a_charset_is_read(operator: RunningServer) -> None:
    assert (await operator.report(_body(), headers={"Content-Type": "application/json; charset=utf-8"})).status == 200


async def test_a_body_that_does_not_arrive_is_given_up() -> None:
    async with running_server(BRIEF) as operator:
        answer = await _exchange(operator, operator.head(1_000) + b'{"reports"')
        assert b" 408 " in answer
        assert b'{"error": ' in answer
        assert (await operator.report(_body())).status == 200


async def test_a_client_that_sends_no_whole_headers_is_disconnected() -> None:
    async with running_server(BRIEF) as operator:
        assert await _exchange(operator, b"POST /v1/stud") == b""
        assert (await operator.report(_body())).status == 200


async def test_a_connection_that_has_served_a_request_outlives_the_deadline_for_headers() -> None:
    async with running_server(BRIEF) as operator:
        reader, writer = await asyncio.open_connection("127.0.0.1", operator.port)
        for step in (1, 2):
            body = _body(step=step)
            writer.write(operator.head(len(body)) + body)
            assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(len(b'{"stop": false, "reason": ""}'))
            await asyncio.sleep(1.2 * BRIEF.header_seconds)
        writer.close()
        await writer.wait_closed()


async def test_a_client_that_leaves_in_the_middle_of_a_body_harms_nobody(operator: RunningServer) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", operator.port)
    writer.write(operator.head(1_000) + b'{"reports"')
    await writer.drain()
    writer.transport.abort()
    assert (await operator.report(_body())).status == 200
    assert len(operator.repository.reports(0)) == 1


@pytest.mark.parametrize(
    "request_text",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20, id="TLS"),
        pytest.param(b"GET / HTTP/9.9\r\n\r\n", id="HTTP of the future"),
        pytest.param(b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", id="a long path"),
        pytest.param(b"GET / HTTP/1.1\r\nA: " + b"a" * 20_000 + b"\r\n\r\n", id="a long header"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"A: a\r\n" * 1_000 + b"\r\n", id="a thousand headers"),
    ],
)
async def test_what_is_hardly_http_is_refused_quietly(
    operator: RunningServer, request_text: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await _exchange(operator, request_text)
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
    assert b"Traceback" not in answer
    assert caplog.records == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("POST", "/v1/studies/u/trials/-1/attempts/1/reports", 404),
        ("POST", "/v1/studies/u/trials/\N{ARABIC-INDIC DIGIT ONE}/attempts/1/reports", 404),
        ("POST", "/v1/studies/u%0A/trials/1/attempts/1/reports", 404),
        ("POST", "/v1/studies/u/trials/99999999999/attempts/1/reports", 404),
        ("GET", "/v1/studies/u/trials/1/attempts/1/reports", 405),
        ("DELETE", "/v1/studies/team/digits/trials", 405),
    ],
)
async def test_an_address_that_does_not_exist_is_answered_in_json(
    operator: RunningServer, method: str, path: str, status: int
) -> None:
    async with operator.client.request(method, operator.base + path) as response:
        assert response.status == status
        assert list(await response.json()) == ["error"]


async def _exchange(operator: RunningServer, data: bytes) -> bytes:
    """Send bytes and return all that comes back until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", operator.port)
    writer.write(data)
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()
