"""Jobs that are being created: a study's cycle does not wait for the API server's answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection

from tuning_operator.decisions.seen_jobs import TrialJob

_AT_ONCE = 32
"""Requests under way. A thousand begun together, as a large study starts, block the event loop for half a second."""


class JobCreations:
    """One study's creations under way. Their Jobs count as there, so that no trial starts and no slot is taken twice.

    After a crash nothing of this is known, nor needed: a trial without a Job is launched again, and a Job that exists
    by then answers that it does.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._tasks: dict[TrialJob, asyncio.Task[None]] = {}
        self._defect: BaseException | None = None

    def start(self, job: TrialJob, create: Callable[[], Awaitable[None]]) -> None:
        """Create a Job from now on; when the answer came, the study is looked at."""
        task = asyncio.create_task(self._in_turn(create), name=f"create Job {job.name}")
        self._tasks[job] = task
        task.add_done_callback(lambda _: self._ended(job, task))

    def and_seen(self, seen: Collection[TrialJob]) -> tuple[TrialJob, ...]:
        """Return the Jobs that were seen, and those that will be."""
        names = {job.name for job in seen}
        return (*seen, *(job for job in self._tasks if job.name not in names))

    @property
    def is_empty(self) -> bool:
        """Whether no creation is under way."""
        return not self._tasks

    async def settle(self, name: str | None = None) -> None:
        """Wait for the answer about one Job or about all: one that is to be deleted must exist, or never will."""
        tasks = [task for job, task in self._tasks.items() if name in (None, job.name)]
        if tasks:
            await asyncio.wait(tasks)

    def raise_defect(self) -> None:
        """Raise what no creation should raise, once."""
        defect, self._defect = self._defect, None
        if defect is not None:
            raise defect

    def cancel(self) -> None:
        """Let go of all; whether their Jobs exist will be seen."""
        for task in self._tasks.values():
            task.cancel()

    async def _in_turn(self, create: Callable[[], Awaitable[None]]) -> None:
        async with self._turns:
            await create()

    def _ended(self, job: TrialJob, task: asyncio.Task[None]) -> None:
        del self._tasks[job]
        if not task.cancelled():
            self._defect = self._defect or task.exception()
            self._wake()
