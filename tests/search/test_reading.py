"""Histories are read without a spec, seen by Optuna's own tools, and deleted."""

from __future__ import annotations

from dataclasses import replace

import optuna
import pytest
from optuna.trial import TrialState
from sqlalchemy import func, select

from tests.search.studies import KEY, METRIC, batch, outcome, study_spec
from tests.search.worlds import DatabaseWorld
from tuning_contract import FinalState
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.decisions.trials import EndState
from tuning_operator.errors import NotFound
from tuning_operator.search import tables
from tuning_operator.search.history import Outlook
from tuning_operator.search.repository import StudyRepository


async def test_a_history_is_read_without_its_spec(world: DatabaseWorld) -> None:
    study = await world.open()
    await study.ask(2)
    await study.report(0, 1, batch((1, 0.5)))
    await study.tell([outcome(0)])
    history = await world.repositories.read_history(KEY.namespace, KEY.name)
    assert history.history() == study.history()
    assert history.reports(0) == study.reports(0)


async def test_of_studies_of_one_name_the_newest_is_read_unless_a_uid_is_given(world: DatabaseWorld) -> None:
    await (await world.open()).ask(1)
    world.clock.advance(60)
    newer = replace(KEY, uid="another-uid")
    await (await world.repositories.open(newer, world.spec)).ask(2)
    other = StudyKey("elsewhere", KEY.name, "third-uid")
    world.clock.advance(60)
    await world.repositories.open(other, world.spec)
    stored = await world.repositories.list_studies()
    assert [study.key for study in stored] == [KEY, newer, other]
    assert stored[2].created_at == world.clock.now()
    read = world.repositories.read_history
    assert (await read(KEY.namespace, KEY.name)).history().total == 2
    assert (await read(KEY.namespace, KEY.name, KEY.uid)).history().total == 1


async def test_what_a_search_could_still_do_counts_until_the_study_goes_on(world: DatabaseWorld) -> None:
    async def read() -> Outlook:
        return (await world.repositories.read_history(KEY.namespace, KEY.name)).outlook_left(world.spec)

    study = await world.open()
    await study.ask(1)
    assert await read() == Outlook()
    study._sampling.outlook = Outlook(size=1, infeasible="nothing is left")
    await study.keep_outlook()
    assert await read() == Outlook(size=1, infeasible="nothing is left")
    await study.ask(1)  # by a run that is killed before it could say what is left then
    assert await read() == Outlook()


async def test_a_study_that_is_not_there_is_not_found(world: DatabaseWorld) -> None:
    with pytest.raises(NotFound, match="no study default/digits with uid x"):
        await world.repositories.read_history(KEY.namespace, KEY.name, "x")


async def test_deleting_a_history_leaves_nothing_of_it_and_others_as_they_are(world: DatabaseWorld) -> None:
    other = await world.repositories.open(replace(KEY, uid="another-uid"), world.spec)
    await _live(other)
    alone = _rows(world)
    await _live(await world.open())
    assert all(count >= alone[table] for table, count in _rows(world).items())
    await world.repositories.delete_history(KEY)
    await world.repositories.delete_history(KEY)
    assert _rows(world) == alone
    assert world.repositories.find(KEY.uid) is None
    assert other.history().total == 2


async def test_optunas_tools_see_the_study_as_one_of_theirs(world: DatabaseWorld) -> None:
    world.spec = study_spec(direction="Minimize")
    study = await world.open()
    await study.ask(4)
    await study.report(1, 1, batch((1, 0.5), (2, 0.25)))
    await study.tell([outcome(0, 0.75), outcome(1, 0.25, EndState.PRUNED), outcome(2, None, EndState.FAILED)])
    with world.in_optuna() as theirs:
        assert theirs.direction is optuna.study.StudyDirection.MINIMIZE
        assert theirs.metric_names == [METRIC]
        assert theirs.user_attrs["tuning:name"] == KEY.name
        states = [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING]
        assert [trial.state for trial in theirs.trials] == states
        assert theirs.best_trial.number == 0
        assert theirs.trials[1].intermediate_values == {1: 0.5, 2: 0.25}
        assert theirs.trials[2].user_attrs["tuning:reason"] == "Finished"
        assert list(theirs.trials[0].params) == ["rate", "units", "optimizer"]


async def test_a_goal_may_change_after_the_start(world: DatabaseWorld) -> None:
    study = await world.open()
    assert await world.repositories.open(KEY, study_spec(goal=0.5)) is study
    world.spec = study_spec(goal=0.75)
    await world.reopen()


async def _live(study: StudyRepository) -> None:
    await study.ask(2)
    await study.report(0, 1, batch((1, 0.5)))
    await study.report(1, 1, batch((1, 0.5), end=FinalState.COMPLETE))
    await study.tell([outcome(0)])


def _rows(world: DatabaseWorld) -> dict[str, int]:
    everything = [*tables.optuna_metadata.sorted_tables, *tables.metadata.sorted_tables]
    with world.database.transaction() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one() for table in everything
        }
