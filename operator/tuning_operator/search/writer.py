"""Group commit: whatever wants to be written while a commit is under way goes into the next one, all together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection

from tuning_operator.errors import LeaseLost, StorageUnavailable, TuningError, Unavailable
from tuning_operator.metrics.recording import Metrics
from tuning_operator.search.database import Database
from tuning_operator.search.report_rows import ReportRows

T = TypeVar("T")
Statements = Callable[[Connection], Any]


@dataclass(frozen=True)
class _Write:
    work: ReportRows | Statements
    then: Callable[[Any], None]
    done: asyncio.Future[Any]


class GroupCommit:
    """The database's only writer, but for what happens once a study: one transaction at a time, in a thread of its own.

    Belongs to one event loop. A write's `then` runs on the loop right after its commit, in the order of the writes and
    whether or not the caller still waits: that is where memory follows the database.
    """

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="database-writer")
        self._waiting: list[_Write] = []
        self._flushing: asyncio.Task[None] | None = None
        self.trouble = ""
        """Why the last transaction could not be written; empty: it was."""

    async def add(self, rows: ReportRows, then: Callable[[], None]) -> None:
        """Write rows of reports; they share statements with those of other trials.

        Raises
        ------
        StorageUnavailable
            Nothing was written, as far as can be known: the connection may have been lost after the commit.
        StorageDamaged
            The database refuses the rows.
        LeaseLost
            Another operator has taken the database over.
        """
        await self._submit(rows, lambda _: then())

    async def run(self, statements: Callable[[Connection], T], then: Callable[[T], None]) -> T:
        """Run statements in a transaction, which they share with other writes; raises as `add` does."""
        result: T = await self._submit(statements, then)
        return result

    async def close(self) -> None:
        """Wait for the writes under way."""
        if self._flushing is not None:
            await asyncio.wait([self._flushing])
        self._thread.shutdown(wait=False)

    async def _submit(self, work: ReportRows | Statements, then: Callable[[Any], None]) -> Any:
        loop = asyncio.get_running_loop()
        write = _Write(work, then, loop.create_future())
        self._waiting.append(write)
        if self._flushing is None:
            self._flushing = loop.create_task(self._flush())
        return await write.done

    async def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                writes, self._waiting = self._waiting, []
                begun = time.perf_counter()
                results = await loop.run_in_executor(self._thread, self._commit, writes)
                self._record(time.perf_counter() - begun, results)
                for write, result in zip(writes, results, strict=True):
                    _settle(write, result)
        finally:
            self._flushing = None

    def _record(self, seconds: float, results: Sequence[Any]) -> None:
        errors = {type(result).__name__ for result in results if isinstance(result, TuningError)}
        for error in errors:
            self._metrics.storage_failed(error)
        self.trouble = next((str(result) for result in results if isinstance(result, StorageUnavailable)), "")
        if not errors:
            self._metrics.storage_committed(seconds)

    def _commit(self, writes: Sequence[_Write]) -> list[Any]:
        """Return each write's result or exception."""
        try:
            return self._commit_together(writes)
        except (Unavailable, LeaseLost) as error:
            return [error] * len(writes)
        except Exception as error:  # noqa: BLE001 - whoever waits gets it
            if len(writes) == 1:
                return [error]
            # One write must not take the others down: each for itself.
            return [result for write in writes for result in self._commit([write])]

    def _commit_together(self, writes: Sequence[_Write]) -> list[Any]:
        rows = ReportRows.merged(write.work for write in writes if isinstance(write.work, ReportRows))
        with self._database.transaction() as connection:
            rows.write(connection)
            return [None if isinstance(write.work, ReportRows) else write.work(connection) for write in writes]


def _settle(write: _Write, result: Any) -> None:
    if not isinstance(result, Exception):
        try:
            write.then(result)
        except Exception as error:  # noqa: BLE001 - whoever waits gets it
            result = error
    if write.done.cancelled():
        return
    if isinstance(result, Exception):
        write.done.set_exception(result)
    else:
        write.done.set_result(result)
