from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.process_node.pod_log import Line, PodLog, timestamped


async def texts(log: PodLog, *, follow: bool = False, tail: int | None = None, since: datetime | None = None) -> bytes:
    return b"".join([line.text async for line in log.read(follow=follow, tail_lines=tail, since=since)])


async def test_a_line_is_visible_when_its_end_was_written() -> None:
    log = PodLog()
    log.write(b"fir")
    assert await texts(log) == b""
    log.write(b"st\nsec")
    assert await texts(log) == b"first\n"
    log.close()
    assert await texts(log) == b"first\nsec"


async def test_a_follower_gets_what_is_there_and_what_comes_and_then_the_end() -> None:
    log = PodLog()
    log.write(b"1\n2\n3\n")
    followers = [asyncio.create_task(texts(log, follow=True, tail=tail)) for tail in (None, 1, 0)]
    await asyncio.sleep(0)
    log.write(b"4\n")
    await asyncio.sleep(0)
    log.write(b"5\n6")
    log.close()
    assert await asyncio.gather(*followers) == [b"1\n2\n3\n4\n5\n6", b"3\n4\n5\n6", b"4\n5\n6"]


async def test_a_log_can_be_read_since_a_time() -> None:
    log = PodLog()
    log.write(b"old\n")
    later = datetime.now(UTC) + timedelta(hours=1)
    assert await texts(log, since=later - timedelta(hours=2)) == b"old\n"
    assert await texts(log, since=later) == b""
    with pytest.raises(ValueError, match="time zone"):
        await texts(log, since=later.replace(tzinfo=None))


def test_a_time_stamp_is_written_with_nanoseconds() -> None:
    line = Line(datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC), b"text\n")
    assert timestamped(line) == b"2026-01-02T03:04:05.678901000Z text\n"
