"""The threads that samplers run in, so that the event loop goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

_QUICK = 4
"""Samplers that may run at the same time; they share one interpreter, so that more would only switch more."""
_LONG_SECONDS = 0.5
"""Of processor time: a study whose last call took longer waits for others of its kind, and keeps no other waiting."""


class AskingThreads:
    """Runs the calls of all studies' samplers; those that take long, one after the other in a thread of their own."""

    def __init__(self) -> None:
        self._quick = ThreadPoolExecutor(_QUICK, thread_name_prefix="ask")
        self._slow = ThreadPoolExecutor(1, thread_name_prefix="ask-slowly")

    def of_a_study(self) -> Executor:
        """Return what runs the calls of one study."""
        return _OfAStudy(self._quick, self._slow)

    def shutdown(self) -> None:
        """Start no further call, and wait for none that is under way."""
        for threads in (self._quick, self._slow):
            threads.shutdown(wait=False, cancel_futures=True)


class _OfAStudy(Executor):
    def __init__(self, quick: Executor, slow: Executor) -> None:
        self._quick, self._slow = quick, slow
        self._took = 0.0
        """Seconds of processor time of the last call."""

    def submit(self, call: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        threads = self._slow if self._took > _LONG_SECONDS else self._quick
        return threads.submit(self._timed, call, *arguments, **named)

    def _timed(self, call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        began = time.thread_time()
        try:
            return call(*arguments, **named)
        finally:
            self._took = time.thread_time() - began
