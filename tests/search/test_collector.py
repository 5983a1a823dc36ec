"""The garbage collector and the trials in memory."""

from __future__ import annotations

import gc
import weakref

from tests.search.studies import KEY
from tests.search.worlds import DatabaseWorld


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
