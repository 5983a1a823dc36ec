"""A sampler with a defect: the study says so, and goes on once another one is asked."""

from __future__ import annotations

from typing import Any

import pytest
from optuna.study import StudyDirection

from tests.search.broken_sampler import break_samplers
from tests.search.drafting import Drafting
from tests.search.naming_suite import by_run, named
from tests.search.studies import outcome, study_spec
from tests.search.worlds import DatabaseWorld, FaultyStatements
from tuning_operator.errors import SearchFailed, StorageUnavailable
from tuning_operator.search.search_process import RemoteAsking, SearchProcess
from tuning_operator.search.suggester import Past

SAID = "the sampler Random failed with ZeroDivisionError: division by zero; this is a defect"


async def test_what_a_sampler_raises_is_a_sentence_that_names_it(
    world: DatabaseWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_samplers(monkeypatch, first=2)
    study = await world.open()
    await study.ask(2)
    assert study.search_failure == ""
    for _ in range(2):
        with pytest.raises(SearchFailed, match=SAID) as raised:
            await study.ask(1)
        assert isinstance(raised.value.__cause__, ZeroDivisionError)
        assert study.search_failure == str(raised.value)
    await study.tell([outcome(0), outcome(1)])
    assert (study.history().total, study.history().complete) == (2, 2)


async def test_a_sampler_that_does_not_fail_again_goes_on(
    sqlite_world: DatabaseWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampler = break_samplers(monkeypatch, first=1)
    study = await sqlite_world.open()
    with pytest.raises(SearchFailed):
        await study.ask(2)
    assert study.history().total == 0
    sampler.first = 99
    here = Drafting(sqlite_world.spec)
    assert [trial.parameters for trial in await study.ask(2)] == here.ask(2)
    assert study.search_failure == ""


async def test_another_sampler_goes_on(sqlite_world: DatabaseWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        break_samplers(broken, first=1)
        study = await sqlite_world.open()
        with pytest.raises(SearchFailed):
            await study.ask(2)
    await study.apply(study_spec(search={"sampler": {"name": "TPE"}}))
    assert study.search_failure == ""
    assert len(await study.ask(2)) == 2


async def test_a_sampler_that_can_not_begin_is_named_too(
    sqlite_world: DatabaseWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("tuning_operator.search.asking.make_sampler", lambda *_: 1 / 0)
        with pytest.raises(SearchFailed, match=SAID):
            await sqlite_world.open()
    assert len(await (await sqlite_world.open()).ask(1)) == 1


async def test_a_sampler_that_can_not_begin_again_is_asked_for_what_is_stored_once_it_can(
    sqlite_world: DatabaseWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = await sqlite_world.open()
    await study.ask(1)
    with monkeypatch.context() as broken:
        broken.setattr("tuning_operator.search.asking.make_sampler", lambda *_: 1 / 0)
        with FaultyStatements(sqlite_world.database, 1), pytest.raises(StorageUnavailable):
            await study.ask(2)
        for _ in range(2):
            with pytest.raises(SearchFailed, match=SAID):
                await study.ask(1)
    here = Drafting(sqlite_world.spec)
    assert [trial.parameters for trial in await study.ask(1)] == here.ask(2)[1:]


async def test_a_sampler_that_fails_for_a_name_is_named_too(
    sqlite_world: DatabaseWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite_world.spec = by_run()
    study = await sqlite_world.open()
    await study.ask(1)
    rate = named({"name": "rate", "type": "Float", "low": 0.5, "high": 1.5})
    with monkeypatch.context() as broken:
        broken.setattr("tuning_operator.search.asking.choose", lambda *_: 1 / 0)
        with pytest.raises(SearchFailed, match=SAID):
            await study.choose_parameter(0, 1, rate)
    assert study.search_failure.startswith("the sampler Random")
    await study.choose_parameter(0, 1, rate)
    assert study.search_failure == ""


def test_what_a_sampler_raises_in_the_search_process_comes_with_its_stack(process: SearchProcess) -> None:
    spec = study_spec(search={"sampler": {"name": "TPE"}})
    seed: Any = "no number"
    broken = RemoteAsking(Past("study", [StudyDirection.MAXIMIZE], seed, spec, [], {}), process)
    with pytest.raises(SearchFailed, match="the sampler TPE failed with ValueError: unrecognized seed ") as raised:
        broken.suggest([], 1, 0.0)
    assert "in _begin" in str(raised.value.__cause__)
    well = RemoteAsking(Past("study", [StudyDirection.MAXIMIZE], 1, spec, [], {}), process)
    assert len(well.suggest([], 1, 0.0)) == 1
