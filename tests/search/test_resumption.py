"""Which earlier history a study goes on with, and why not with another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.search.strategies import inheriting_spec
from tests.search.studies import KEY, batch, last_words, outcome, study_spec
from tests.search.worlds import DatabaseWorld, lost_commit
from tuning_operator.api.deletion_policy import DeletionPolicy
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.history import ActiveTime
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.decisions.trials import EndState
from tuning_operator.errors import InvalidStudy, NotFound, StorageUnavailable
from tuning_operator.search.repository import StudyRepository

FIRST, SECOND, THIRD = (replace(KEY, uid=f"uid-{number}") for number in (1, 2, 3))


async def history(world: DatabaseWorld, key: StudyKey, trials: int) -> StudyRepository:
    """Make a history with trials and a report each."""
    world.clock.advance(60)
    repository = await world.repositories.open(key, study_spec())
    await repository.ask(trials)
    for number in range(trials):
        await repository.report(number, 1, batch((1, 0.5)))
    return repository


async def refusal(world: DatabaseWorld, which: str = "true", spec: StudySpec | None = None) -> str:
    """Return why the third study is not resumed."""
    with pytest.raises(InvalidStudy) as refused:
        await world.repositories.open(THIRD, spec or study_spec(), which)
    assert refused.value.reason == "NotResumable"
    return str(refused.value)


async def test_the_newest_of_several_earlier_histories_is_resumed(world: DatabaseWorld) -> None:
    await history(world, SECOND, 2)
    await history(world, FIRST, 3)
    assert (await world.repositories.open(THIRD, study_spec(), "true")).history().total == 3


async def test_a_history_can_be_named_by_its_uid(world: DatabaseWorld) -> None:
    await history(world, FIRST, 3)
    await history(world, SECOND, 2)
    world.clock.advance(60)
    assert (await world.repositories.open(THIRD, study_spec(), FIRST.uid)).history().total == 3
    newest = await world.repositories.read_history(KEY.namespace, KEY.name)
    assert newest.key == THIRD
    assert (await world.repositories.read_history(KEY.namespace, KEY.name, SECOND.uid)).history().total == 2


async def test_a_uid_that_has_no_history_is_told_with_those_that_have(world: DatabaseWorld) -> None:
    await history(world, FIRST, 1)
    sentence = await refusal(world, "ture")
    assert "'ture', which is no earlier history of default/digits (there are: uid-1)" in sentence


async def test_studies_of_other_names_are_none_of_its_histories(world: DatabaseWorld) -> None:
    for name in ("digit", "digits-2", "digitsx"):
        await history(world, StudyKey(KEY.namespace, name, name), 1)
    await history(world, StudyKey("other", KEY.name, "other"), 1)
    assert (await world.repositories.open(THIRD, study_spec(), "true")).history().total == 0


async def test_a_history_that_goes_with_its_object_is_not_resumed(world: DatabaseWorld) -> None:
    await history(world, FIRST, 2)
    await world.repositories.keep_policy(FIRST, DeletionPolicy.DELETE)
    assert (await world.repositories.open(THIRD, study_spec(), "true")).history().total == 0


async def test_another_installations_history_must_be_named(world: DatabaseWorld) -> None:
    world.repositories.owner = "theirs"
    await history(world, FIRST, 2)
    await world.restart()
    world.repositories.owner = "ours"
    sentence = await refusal(world)
    assert "another installation of the operator wrote the newest history" in sentence
    assert "tuning-operator.io/resume: uid-1" in sentence
    assert (await world.repositories.open(THIRD, study_spec(), FIRST.uid)).history().total == 2


async def test_what_differs_is_named_with_the_way_out(world: DatabaseWorld) -> None:
    await history(world, FIRST, 1)
    sentence = await refusal(world, spec=study_spec(metric="loss"))
    assert "`objectives` differs from the study's stored history" in sentence
    assert "remove the annotation tuning-operator.io/resume to start a new history" in sentence


async def test_a_strategy_that_needs_the_earlier_objects_checkpoints_is_not_resumed(world: DatabaseWorld) -> None:
    await history(world, FIRST, 1)
    sentence = await refusal(world, spec=inheriting_spec("SynchronousHyperband", {"maxResource": 9}))
    assert "trials of SynchronousHyperband go on from each other's checkpoints" in sentence


async def test_another_template_is_another_study(world: DatabaseWorld) -> None:
    await history(world, FIRST, 1)
    spec = study_spec()
    containers = [{"name": "trainer", "image": "trainer:2"}]
    trial = spec.trial.model_copy(update={"template": {"spec": {"containers": containers}}})
    assert "`trial.template` differs" in await refusal(world, spec=spec.model_copy(update={"trial": trial}))


async def test_another_sampler_and_more_trials_are_the_same_study(world: DatabaseWorld) -> None:
    await history(world, FIRST, 2)
    spec = study_spec(search={"sampler": {"name": "TPE"}}).model_copy(update={"max_trials": 2000})
    repository = await world.repositories.open(THIRD, spec, "true")
    assert [trial.number for trial in await repository.ask(1)] == [2]


async def test_earlier_reports_stay_with_the_history_through_two_resumptions(world: DatabaseWorld) -> None:
    await history(world, FIRST, 1)
    second = await world.repositories.open(SECOND, study_spec(), "true")
    await second.report(0, 2, batch((2, 0.75)))
    third = await world.repositories.open(THIRD, study_spec(), "true")
    assert [(report.attempt, report.step) for report in third.reports(0)] == [(1, 1), (2, 2)]
    assert third.history().open[0].attempt == 3
    with pytest.raises(NotFound):
        await second.report(0, 2, batch((3, 0.75)))
    with pytest.raises(NotFound):
        await world.repositories.read_history(KEY.namespace, KEY.name, FIRST.uid)


async def test_a_resumed_history_is_deleted_as_a_whole(world: DatabaseWorld) -> None:
    await history(world, FIRST, 2)
    third = await world.repositories.open(THIRD, study_spec(), "true")
    await third.tell([outcome(0)])
    await world.repositories.delete_history(THIRD)
    assert third.reports(0) == []
    assert await world.repositories.list_studies() == []


async def test_a_trial_that_was_to_be_pruned_gets_no_new_attempt(world: DatabaseWorld) -> None:
    pruner = {"pruner": {"name": "Median", "options": {"nStartupTrials": 1}}}
    first = await world.repositories.open(FIRST, study_spec(search=pruner))
    await first.ask(2)
    await first.report(0, 1, batch((1, 0.9)))
    await first.tell([outcome(0, 0.9)])
    await first.report(1, 1, batch((1, 0.1)))
    assert first.history().open[0].prune_decided_at is not None
    third = await world.repositories.open(THIRD, study_spec(search=pruner), "true")
    assert third.history().open[0].attempt == 1
    await third.tell([outcome(1, 0.1, EndState.PRUNED, last_words(third, 1))])
    assert third.history().pruned == 1


@pytest.mark.parametrize(("nth", "attempt"), [(1, 3), (2, 3), (3, 2)])
async def test_a_resumption_that_breaks_off_is_done_again(
    world: DatabaseWorld, monkeypatch: pytest.MonkeyPatch, nth: int, attempt: int
) -> None:
    await history(world, FIRST, 1)
    with lost_commit(monkeypatch, nth), pytest.raises(StorageUnavailable):
        await world.repositories.open(THIRD, study_spec(), "true")
    await world.restart()
    third = await world.repositories.open(THIRD, study_spec(), "true")
    assert [trial.attempt for trial in third.history().open] == [attempt]
    assert [stored.key for stored in await world.repositories.list_studies()] == [THIRD]


async def test_the_time_between_deletion_and_resumption_is_not_active(world: DatabaseWorld) -> None:
    first = await history(world, FIRST, 1)
    started_at = first.history().started_at
    assert started_at is not None
    world.clock.advance(30)
    await first.report(0, 1, batch((2, 0.75)))
    world.clock.advance(3600)
    third = await world.repositories.open(THIRD, study_spec(), "true")
    assert third.history().active == ActiveTime(30.0)
    assert third.history().open[0].earlier.running_seconds == 30.0
