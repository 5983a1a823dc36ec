"""The operator's end of the search process, which asks samplers whose libraries must stay out of the report path."""

from __future__ import annotations

import contextlib
import itertools
import os
import pickle
import subprocess
import sys
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from optuna.trial import FrozenTrial

from tuning_operator.errors import SearchUnavailable
from tuning_operator.search.naming import Wanted
from tuning_operator.search.sampler_failures import failures_named
from tuning_operator.search.samplers import require_library
from tuning_operator.search.search_calls import Answer, Call
from tuning_operator.search.suggester import Past, Suggestion

_WORKER = "tuning_operator.search.search_worker"
"""Started as a module of its own: Python's multiprocessing would run the operator's main module again."""


class SearchProcess:
    """One process for all studies that need it, started at the first call. One that died is started again."""

    def __init__(self) -> None:
        self.thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="search-process")
        """Makes the calls, one after the other; the process answers one at a time."""
        self._process: subprocess.Popen[bytes] | None = None
        self._is_closed = False
        self._numbers = itertools.count()
        self._forgotten: list[int] = []

    def call(
        self,
        study: int,
        past: Past | None,
        ended: Sequence[FrozenTrial],
        count: int = 0,
        seconds: float = 0.0,
        wanted: Wanted | None = None,
    ) -> Answer:
        """Ask a study for trials, or for a parameter that is wanted; its first call brings its past.

        Raises
        ------
        SearchUnavailable
            The process died; whoever asks next begins with the past.
        """
        process = self._process
        if process is None:
            process = self._process = self._start()
        if self._is_closed:  # asked last: who closes it ends the process that is there then
            self._end(process)
            raise SearchUnavailable("nobody is asked for trials any more: the program ends")
        forgotten, self._forgotten = self._forgotten, []
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            pickle.dump(Call(study, past, ended, count, seconds, forgotten, wanted), process.stdin)
            process.stdin.flush()
            answer: Answer = pickle.load(process.stdout)
        except (OSError, EOFError, ValueError, pickle.UnpicklingError) as error:  # ValueError: its pipe was closed
            self._end(process)
            raise SearchUnavailable(
                f"the process that asks the sampler ended with status {process.returncode}, "
                "perhaps for want of memory; it is started again"
            ) from error
        return answer

    def _start(self) -> subprocess.Popen[bytes]:
        # One thread, as Optuna advises: beside others' work several spend most of an ask on waiting for each other.
        environment = {"OMP_NUM_THREADS": "1", **os.environ}
        # A session of its own: Ctrl-C is for the operator, which ends it.
        return subprocess.Popen(
            [sys.executable, "-m", _WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )

    def number(self, of: object) -> int:
        """Return a number for a suggester, whose study is forgotten with it."""
        number = next(self._numbers)
        weakref.finalize(of, self._forget, number)
        return number

    def _forget(self, number: int) -> None:
        self._forgotten = [*self._forgotten, number]

    def close(self) -> None:
        """End the process, whatever it does. When it returns, no call is under way."""
        self._is_closed = True
        if (process := self._process) is not None:
            self._end(process)
        self.thread.shutdown(cancel_futures=True)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        self._process = None
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # of what could not be written any more
                    pipe.close()


class RemoteStack(Exception):
    """Where an error came from in the search process, as Python shows it: the cause of the error here."""


class RemoteAsking:
    """The suggester in the search process.

    Raises
    ------
    InvalidStudy
        The sampler needs a library that is not installed.
    """

    def __init__(self, past: Past, process: SearchProcess) -> None:
        require_library(past.spec.search.sampler)
        self._name = past.spec.search.sampler.name
        self._past: Past | None = past
        self._process = process
        self._study = process.number(self)
        self._last = Answer()

    def suggest(self, ended: Sequence[FrozenTrial], count: int, seconds: float) -> list[Suggestion]:
        return list(self._call(ended, count, seconds).suggestions)

    def choose(self, ended: Sequence[FrozenTrial], wanted: Wanted) -> Any:
        return self._call(ended, wanted=wanted).value

    def _call(
        self, ended: Sequence[FrozenTrial], count: int = 0, seconds: float = 0.0, wanted: Wanted | None = None
    ) -> Answer:
        past, self._past = self._past, None
        with failures_named(self._name):
            answer = self._process.call(self._study, past, ended, count, seconds, wanted)
            if answer.error is not None:
                raise answer.error from RemoteStack(answer.stack)
        self._last = answer
        return answer

    def size(self) -> int | None:
        return self._last.size

    def why_none(self) -> str:
        return self._last.why_none
