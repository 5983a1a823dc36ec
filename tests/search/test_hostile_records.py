"""Somebody else writes into the database what this project would not: that is one study's problem, and told so."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from sqlalchemy import true, update

from tests.search.studies import KEY, batch, outcome
from tests.search.worlds import DatabaseWorld
from tuning_contract import FinalState
from tuning_operator.decisions.history import ActiveTime
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import StorageDamaged
from tuning_operator.search import tables

ANOTHER = replace(KEY, uid="another-uid")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("attempt", "two"),
        ("attempt", 0),
        ("attempt", 2**40),
        ("attempt", True),
        ("seed", None),
        ("parent", 1),
        ("parent", "0"),
        ("parent_attempt", -1),
        ("inherits", 0),
        ("inherits", None),
        ("bracket", 2**31),
        ("rung", 0.5),
        ("generation", None),
        ("budget", -5),
        ("note", ["a"]),
        ("seed", math.nan),
        ("running_seconds", []),
        ("running_seconds", math.nan),
        ("running_seconds", math.inf),
        ("running_seconds", 1e300),
        ("running_seconds", -1.0),
        ("message", 5),
        ("earlier_attempts", "none"),
        ("earlier_attempts", None),
        ("earlier_attempts", {"failures": "3"}),
        ("earlier_attempts", {"running_seconds": math.inf}),
        ("earlier_attempts", {"disruptions": -5}),
        ("earlier_attempts", {"retry_at": math.nan}),
        ("earlier_attempts", {"first": 2}),
        ("earlier_attempts", {"first": 0}),
        ("pod_time", 12.5),
        ("pod_time", {"seconds": 1.0}),
        ("pod_time", {"attempt": 1, "seconds": math.nan}),
        ("pod_time", {"attempt": 2}),
        ("rungs", [1, 2]),
        ("rungs", {"first": 0.5}),
        ("rungs", {"1": "much"}),
        ("rungs", {"1": math.nan}),
        ("rungs", {"-1": 0.5}),
        ("complete_runs_mean", "0.5"),
        ("complete_runs_mean", math.inf),
        ("told_after", "2"),
        ("told_after", -1),
        ("told_after", 3),
    ],
)
async def test_a_trials_attribute_makes_the_history_damaged(world: DatabaseWorld, name: str, value: Any) -> None:
    await (await world.open()).ask(2)
    storage = _optuna(world)
    trials = storage.get_all_trials(storage.get_study_id_from_name(_name(KEY)))
    storage.set_trial_user_attr(trials[1]._trial_id, f"tuning:{name}", value)
    storage.engine.dispose()
    with pytest.raises(StorageDamaged, match=rf"somebody else wrote a trial 1 .* \(`tuning:{name}` is "):
        await world.reopen()
    await _another_study_is_well(world)


@pytest.mark.parametrize("table", ["trial_user_attributes", "study_user_attributes", "study_system_attributes"])
@pytest.mark.parametrize("text", ["", "{", "[" * 100_000])
async def test_an_attribute_that_is_no_json_makes_the_history_damaged(
    world: DatabaseWorld, table: str, text: str
) -> None:
    study = await world.open()
    await study.ask(2)
    await study.keep_active_time(ActiveTime(5.0))
    _write(world, table, "value_json", text, key=("tuning:seed", "tuning:active_time"))
    with pytest.raises(StorageDamaged, match="tuning:"):
        await world.reopen()
    await _another_study_is_well(world)


async def test_attributes_of_others_are_their_concern(world: DatabaseWorld) -> None:
    study = await world.open()
    await study.ask(1)
    before = study.history()
    storage = _optuna(world)
    study_id = storage.get_study_id_from_name(_name(KEY))
    storage.set_study_user_attr(study_id, "note", math.nan)
    storage.set_trial_user_attr(storage.get_all_trials(study_id)[0]._trial_id, "note", "x")
    storage.engine.dispose()
    _write(world, "trial_user_attributes", "value_json", "{", key=("note",))
    assert (await world.reopen()).history() == before


CLOCKS = [math.nan, -math.inf, "soon", [], None, {"seconds": math.nan}, {"since": -1e300}, {"seconds": None}]
OUTLOOKS = [math.nan, "all", None, {}, *({"search": "", "infeasible": "", "size": size} for size in (-1, "3", 0.5))]


@pytest.mark.parametrize(
    ("name", "value"), [*(("active_time", clock) for clock in CLOCKS), *(("outlook", outlook) for outlook in OUTLOOKS)]
)
async def test_a_studys_clock_or_outlook_makes_the_history_damaged(world: DatabaseWorld, name: str, value: Any) -> None:
    await (await world.open()).ask(1)
    _set_study_attr(world, "user", f"tuning:{name}", value)
    with pytest.raises(StorageDamaged, match=rf"`tuning:{name}` is .*; mend them there"):
        await world.reopen()
    await _another_study_is_well(world)


@pytest.mark.parametrize(
    ("name", "value"),
    [("seed", math.inf), ("seed", "7"), ("search", math.nan), ("search", {"objective": []}), ("reports_uid", 5)],
)
async def test_a_studys_record_makes_the_history_damaged(world: DatabaseWorld, name: str, value: Any) -> None:
    await (await world.open()).ask(1)
    _set_study_attr(world, "system", f"tuning:{name}", value)
    with pytest.raises(StorageDamaged, match="was not written by this version"):
        await world.reopen()
    await _another_study_is_well(world)


async def test_nothing_is_deleted_of_a_study_whose_reports_cannot_be_named(world: DatabaseWorld) -> None:
    await (await world.open()).ask(1)
    _set_study_attr(world, "system", "tuning:reports_uid", 5)
    with pytest.raises(StorageDamaged, match="`tuning:reports_uid` is 5"):
        await world.repositories.delete_history(KEY)
    await _another_study_is_well(world)


@pytest.mark.parametrize("created", [math.nan, "yesterday", None, [], 1e300])
async def test_studies_are_listed_all_the_same(world: DatabaseWorld, created: Any) -> None:
    await world.open()
    _set_study_attr(world, "user", "tuning:created", created)
    storage = _optuna(world)
    foreign = storage.create_new_study([StudyDirection.MINIMIZE], "a-notebook")
    storage.set_study_user_attr(foreign, "tuning:created", 5.0)
    storage.engine.dispose()
    await world.repositories.open(ANOTHER, world.spec)
    stored = await world.repositories.list_studies()
    assert [study.key for study in stored] == [KEY, ANOTHER]
    assert stored[0].created_at == 0


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("reports", "values", "[]"),
        ("reports", "values", '{"accuracy": []}'),
        ("reports", "received_at", -math.inf),
        ("trial_events", "state", "Tired"),
        ("trial_events", "time", math.inf),
        ("trials", "datetime_start", None),
        ("trial_params", "distribution_json", "{}"),
        ("trial_params", "param_name", "another"),
    ],
)
async def test_a_row_makes_the_history_damaged(world: DatabaseWorld, table: str, column: str, value: Any) -> None:
    study = await world.open()
    await study.ask(1)
    await study.report(0, 1, batch((1, 0.5), end=FinalState.COMPLETE))
    _write(world, table, column, value, **({"param_name": ("units",)} if table == "trial_params" else {}))
    with pytest.raises(StorageDamaged, match=KEY.name):
        await world.reopen()
    await _another_study_is_well(world)


async def test_an_infinite_value_of_a_complete_trial_makes_the_history_damaged(world: DatabaseWorld) -> None:
    study = await world.open()
    await study.ask(1)
    await study.tell([outcome(0)])
    with world.database.transaction() as connection:
        connection.execute(update(tables.trial_values).values(value=None, value_type="INF_POS"))
    with pytest.raises(StorageDamaged, match=r"a trial 0 .* \(its values are \[inf\]\)"):
        await world.reopen()


def _write(world: DatabaseWorld, table: str, column: str, value: Any, **where: tuple[str, ...]) -> None:
    rows, condition = getattr(tables, table), true()
    for name, values in where.items():
        condition &= rows.c[name].in_(values)
    with world.database.transaction() as connection:
        assert connection.execute(update(rows).where(condition).values({column: value})).rowcount


def _set_study_attr(world: DatabaseWorld, kind: str, name: str, value: Any) -> None:
    storage = _optuna(world)
    set_attr = storage.set_study_user_attr if kind == "user" else storage.set_study_system_attr
    set_attr(storage.get_study_id_from_name(_name(KEY)), name, value)
    storage.engine.dispose()


async def _another_study_is_well(world: DatabaseWorld) -> None:
    other = await world.repositories.open(ANOTHER, world.spec)
    assert len(await other.ask(1)) == 1
    assert {study.key for study in await world.repositories.list_studies()} == {KEY, ANOTHER}


def _optuna(world: DatabaseWorld) -> RDBStorage:
    return RDBStorage(world.database.url.render_as_string(hide_password=False))


def _name(key: StudyKey) -> str:
    return f"{key.namespace}/{key.name}/{key.uid}"
