"""A study whose sampler takes long keeps no other study waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import wait
from contextlib import contextmanager

import pytest

from tuning_operator.search import asking_threads
from tuning_operator.search.asking_threads import AskingThreads


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[AskingThreads]:
    monkeypatch.setattr(asking_threads, "_LONG_SECONDS", 0.01)
    threads = AskingThreads()
    yield threads
    threads.shutdown()


def _compute() -> None:
    until = time.thread_time() + 0.02
    while time.thread_time() < until:
        pass


@contextmanager
def _slow_thread_taken(threads: AskingThreads) -> Iterator[None]:
    """Let a study that takes long be in a call."""
    study, may_end = threads.of_a_study(), threading.Event()
    study.submit(_compute).result(60)
    call = study.submit(may_end.wait, 60)
    try:
        yield
    finally:
        may_end.set()
    assert call.result(60)


def test_studies_that_take_long_share_a_thread_and_leave_the_others_to_the_rest(threads: AskingThreads) -> None:
    slow, quick = [threads.of_a_study() for _ in range(6)], threads.of_a_study()
    wait([study.submit(_compute) for study in slow])
    may_end = threading.Event()
    calls = [study.submit(may_end.wait, 60) for study in slow]
    assert quick.submit(lambda: "asked").result(60) == "asked"
    assert sum(call.running() for call in calls) == 1
    may_end.set()
    assert all(call.result(60) for call in calls)


def test_a_study_that_has_become_quick_is_one_of_the_others(threads: AskingThreads) -> None:
    study = threads.of_a_study()
    study.submit(_compute).result(60)
    study.submit(lambda: None).result(60)
    with _slow_thread_taken(threads):
        assert study.submit(lambda: "asked").result(60) == "asked"


def test_waiting_is_not_taking_long(threads: AskingThreads) -> None:
    """A thread that waits for the interpreter, as all do beside others, has nothing to be blamed for."""
    study = threads.of_a_study()
    study.submit(time.sleep, 0.05).result(60)
    with _slow_thread_taken(threads):
        assert study.submit(lambda: "asked").result(60) == "asked"


def test_an_error_is_the_callers(threads: AskingThreads) -> None:
    with pytest.raises(ZeroDivisionError):
        threads.of_a_study().submit(lambda: 1 / 0).result(60)
