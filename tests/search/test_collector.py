"""The garbage collector and the trials in memory."""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextlib import suppress

import pytest

from tests.search.broken_sampler import break_samplers
from tests.search.studies import KEY
from tests.search.worlds import DatabaseWorld
from tuning_operator.errors import SearchFailed


async def test_the_collector_does_not_look_at_a_loaded_history(world: DatabaseWorld) -> None:
    study = await world.open()
    await study.ask(20)
    loaded = await world.reopen()
    assert gc.isenabled()
    seen = set(map(id, gc.get_objects()))
    assert [trial.number for trial in loaded._frozen() if id(trial) in seen] == []


async def test_a_closed_history_leaves_nothing_in_memory(world: DatabaseWorld) -> None:
    study = await world.open()
    await study.ask(1)
    trace = weakref.ref(study)
    del study
    await world.repositories.close(KEY.uid)
    gc.collect()
    assert trace() is None


async def test_a_sampler_that_failed_leaves_nothing_to_collect(
    sqlite_world: DatabaseWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in a circle when another history is loaded would stay until a study is closed."""
    sampler = break_samplers(monkeypatch, first=1)
    study = await sqlite_world.open()
    traces = [weakref.ref(study._sampling.suggestions), weakref.ref(study._sampling.suggestions._suggester)]
    gc.disable()
    try:
        with suppress(SearchFailed):
            await study.ask(2)
        sampler.first = 99
        await study.ask(1)
        await asyncio.sleep(0.05)  # the thread lets go of it a moment later
        assert [trace() for trace in traces] == [None, None]
    finally:
        gc.enable()
