"""Logs of local trials, followed while their processes write them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from tuning_operator.trial_logs.trial_log import TrialLog

INTERVAL = 0.1
"""Seconds between two looks at a file."""
_CHUNK = 64 * 1024


class LogFiles:
    """Reads log files; `read` is for `LogReadings`. `log_file` returns where a Job's output goes."""

    def __init__(self, log_file: Callable[[str], Path]) -> None:
        self._log_file = log_file

    async def read(self, log: TrialLog) -> None:
        """Read a log to its end, which comes with its process's; raises what `TrialLog.report` raises."""
        opened = await log.open(stamped=False)
        with _open(self._log_file(log.job.name)) as file:
            while True:
                has_ended = log.ended.is_set()
                for chunk in _chunks(file):
                    await opened.feed(chunk)
                if has_ended:
                    break
                with suppress(TimeoutError):
                    async with asyncio.timeout(INTERVAL):
                        await log.ended.wait()
        await opened.close()


def _open(path: Path) -> BinaryIO:
    return path.open("rb")


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk
