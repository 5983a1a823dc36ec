"""A study's next trials, ready before they are needed."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any

from optuna.trial import FrozenTrial

from tuning_operator.search.naming import Wanted
from tuning_operator.search.suggester import Suggester, Suggestion

_PATIENCE_SECONDS = 0.2
"""After so long the trials that a slow sampler has suggested are handed over; the others are asked for after them."""

_PAUSE_SECONDS = 0.1
"""So long after trials were taken others are prepared in their place, while there are enough: first the Jobs of those
that were taken are created, which a sampler at work in the same interpreter would delay by tens of milliseconds."""


class Suggestions:
    """Takes what a suggester suggests, and has it go on ahead of need, in a thread. Belongs to one event loop.

    What is prepared is no trial: it is lost with this object, and the next one suggests the same again.
    """

    def __init__(self, suggester: Suggester, threads: Executor, ahead: Callable[[int], int], asked: int) -> None:
        """`ahead` says how many trials may be prepared that nobody has asked for, once so many were; `asked` were."""
        self._suggester = suggester
        self._threads = threads
        self._ahead = ahead
        self._asked = asked
        self._dropped = False
        self._ready: deque[Suggestion] = deque()
        self._ended: list[FrozenTrial] = []
        """What the suggester has not been told yet."""
        self._call: asyncio.Future[list[Suggestion]] | None = None
        """The call of the suggester that is under way, or has failed."""
        self._pause: asyncio.TimerHandle | None = None
        """The end of the pause before more is prepared."""

    def size(self) -> int | None:
        """Return how many trials the search can have; None: endlessly many. Not to be called during `take`."""
        return self._suggester.size()

    def why_none(self) -> str:
        """Return why constraints leave no further trial, as a sentence; empty: they do not. Not during `take`."""
        return self._suggester.why_none()

    def learn(self, ended: FrozenTrial) -> None:
        """Take the end of a trial."""
        self._ended.append(ended)

    async def take(self, count: int) -> Sequence[Suggestion]:
        """Return the next suggestions: fewer, but at least one, when the suggester is slow; none: there is none.

        Raises what the suggester raises; this object is of no use then.
        """
        patient_until = time.monotonic() + _PATIENCE_SECONDS
        while (missing := count - len(self._ready)) > 0:
            seconds = patient_until - time.monotonic()
            if seconds <= 0 and self._ready:
                break
            call = self._call or self._suggest(missing, seconds)
            suggested = await call
            self._take_over(call)  # where it was done already its callback may not have run, and nothing has let it run
            if not suggested:
                break
        taken = [self._ready.popleft() for _ in range(min(count, len(self._ready)))]
        self._asked += len(taken)
        if not self._dropped and self._ahead(self._asked):
            self._rest()
            self._prepare()
        return taken

    async def choose(self, wanted: Wanted) -> Any:
        """Return the value of a parameter that a trial's code names, as Optuna has it. Not during `take`."""
        ended, self._ended = self._ended, []
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._suggester.choose, ended, wanted)

    def drop(self) -> None:
        """Suggest nothing more; a call that is under way ends unheard."""
        self._dropped = True
        self._ready.clear()
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None

    def _rest(self) -> None:
        """Prepare nothing for a moment."""
        if self._pause is not None:
            self._pause.cancel()
        self._pause = asyncio.get_running_loop().call_later(_PAUSE_SECONDS, self._go_on)

    def _go_on(self) -> None:
        self._pause = None
        self._prepare()

    def _prepare(self) -> None:
        """Have one more trial suggested where that may be: a call that is short keeps nobody waiting."""
        ahead, ready = self._ahead(self._asked), len(self._ready)
        rests = self._pause is not None and ready >= ahead / 2
        if self._call is None and not self._dropped and not rests and ready < ahead:
            self._suggest(1, 0.0)

    def _suggest(self, count: int, seconds: float) -> asyncio.Future[list[Suggestion]]:
        ended, self._ended = self._ended, []
        loop = asyncio.get_running_loop()
        call = loop.run_in_executor(self._threads, self._suggester.suggest, ended, count, seconds)
        self._call = call
        call.add_done_callback(self._take_over)
        return call

    def _take_over(self, call: asyncio.Future[list[Suggestion]]) -> None:
        """Take what a call suggested, once."""
        if call is not self._call or call.cancelled() or call.exception() is not None:
            return  # whoever takes next gets the error
        self._call = None
        self._ready += call.result()
        if call.result():
            self._prepare()
