"""What every implementation of `TrialRepository` promises of trials with several runs; a part of `RepositorySuite`."""

from __future__ import annotations

import asyncio
import math
from typing import Protocol

import pytest

from tests.builders import new_attempt
from tests.fakes import FakeClock
from tests.search.studies import KEY, METRIC, batch, last_words, outcome, study_spec
from tuning_contract import FinalState, TrialEnd
from tuning_operator.api.study import Direction, Objective, StudySpec
from tuning_operator.decisions.trials import EndState, MuteRun, OpenTrial
from tuning_operator.errors import InvalidStudy, NotFound
from tuning_operator.ports import TrialRepositories, TrialRepository


class World(Protocol):
    """As in `repository_suite`."""

    repositories: TrialRepositories
    clock: FakeClock

    async def restart(self) -> None:
        """Replace `repositories` as a process that starts anew does."""


class RunsSuite:
    """The promises."""

    async def test_the_value_is_the_mean_of_the_runs_that_have_one(self, world: World) -> None:
        study = await _asked(world, repeats=3)
        await study.report(0, 1, batch((1, 0.5)), run=2)
        assert (_trial(study).value, _trial(study).run_values) == (0.5, {2: 0.5})
        await study.report(0, 1, batch((1, 0.1), (2, 0.25)), run=0)
        assert (_trial(study).value, _trial(study).run_values) == (0.375, {0: 0.25, 2: 0.5})
        assert (_trial(study).mute_run, _trial(study).last_step) == (MuteRun(1, (METRIC,)), 2)
        assert _trial(study).std == 0.125
        before = _trial(study)
        await world.restart()
        assert _trial(await _open(world, repeats=3)).run_values == before.run_values

    async def test_a_step_is_reported_once_by_each_run(self, world: World) -> None:
        study = await _asked(world, folds=2)
        for run, value in ((0, 0.1), (1, 0.2), (1, 0.9)):
            await study.report(0, 1, batch((1, value)), run=run)
        found = await asyncio.to_thread(study.reports, 0)
        assert [(report.run, report.step, *report.values.values()) for report in found] == [(0, 1, 0.1), (1, 1, 0.2)]

    async def test_a_trial_ends_when_all_its_runs_have(self, world: World) -> None:
        study = await _asked(world, repeats=2)
        first = await study.report(0, 1, batch((1, 0.5), end=FinalState.COMPLETE), run=1)
        assert not first.reply.stop
        assert _trial(study).end is None
        assert (await study.report(0, 1, batch((2, 0.9)), run=1)).reply.reason == "Ended"
        await world.restart()
        study = await _open(world, repeats=2)
        assert (await study.report(0, 1, batch((2, 0.9)), run=1)).reply.reason == "Ended"
        answer = await study.report(0, 1, batch((1, 0.25), end=FinalState.COMPLETE), run=0)
        assert answer.wake
        assert _trial(study).end == TrialEnd(FinalState.COMPLETE)
        assert _trial(study).value == 0.375

    async def test_one_run_that_fails_fails_the_attempt(self, world: World) -> None:
        study = await _asked(world, repeats=3)
        answer = await study.report(0, 1, batch(end=FinalState.FAILED, message="no data"), run=1)
        assert answer.wake
        assert _trial(study).end == TrialEnd(FinalState.FAILED, "run 1: no data")
        await study.report(0, 1, batch(end=FinalState.FAILED, message="no luck"), run=0)
        assert _trial(study).end == TrialEnd(FinalState.FAILED, "run 1: no data")

    async def test_all_runs_are_told_of_one_that_says_it_is_pruned(self, world: World) -> None:
        study = await _asked(world, repeats=2)
        await study.report(0, 1, batch((1, 0.1), end=FinalState.PRUNED), run=0)
        assert (await study.report(0, 1, batch((1, 0.1)), run=1)).reply.reason == "Pruned"
        await study.report(0, 1, batch(end=FinalState.COMPLETE), run=1)
        assert _trial(study).end == TrialEnd(FinalState.PRUNED)

    async def test_a_trial_has_stopped_once_no_run_that_reported_goes_on(self, world: World) -> None:
        study = await _asked(world, repeats=4)
        for run in (0, 1):
            await study.report(0, 1, batch((1, 0.1)), run=run)
        await study.report(0, 1, batch(end=FinalState.PRUNED), run=0)
        assert not _trial(study).has_stopped, "the second run may still save something"
        await study.report(0, 1, batch(end=FinalState.PRUNED), run=1)
        assert _trial(study).has_stopped
        assert _trial(study).end is None, "two runs have not begun"
        await world.restart()
        assert _trial(await _open(world, repeats=4)).has_stopped

    async def test_a_trial_whose_first_run_diverged_has_stopped_with_it(self, world: World) -> None:
        study = await _asked(world, repeats=2)
        await study.report(0, 1, batch((1, math.nan)), run=0)
        assert not _trial(study).has_stopped
        await study.report(0, 1, batch(end=FinalState.COMPLETE), run=0)
        assert _trial(study).has_stopped

    async def test_complete_runs_do_not_stop_the_others(self, world: World) -> None:
        study = await _asked(world, repeats=3)
        await study.report(0, 1, batch((1, 0.1), end=FinalState.COMPLETE), run=0)
        assert not _trial(study).has_stopped

    async def test_a_run_that_ends_without_the_objective_ends_the_attempt(self, world: World) -> None:
        study = await _asked(world, repeats=3)
        await study.report(0, 1, batch((1, 0.1)), run=2)
        await study.report(0, 1, batch(end=FinalState.COMPLETE), run=1)
        assert (_trial(study).end, _trial(study).mute_run) == (TrialEnd(FinalState.COMPLETE), MuteRun(1, (METRIC,)))

    async def test_a_run_that_reports_one_of_several_objectives_lacks_the_other(self, world: World) -> None:
        spec = _spec(repeats=2)
        size = Objective(metric="size", direction=Direction.MINIMIZE)
        study = await world.repositories.open(KEY, spec.model_copy(update={"objectives": [*spec.objectives, size]}))
        await study.ask(1)
        await study.report(0, 1, batch((1, 0.1), end=FinalState.COMPLETE), run=0)
        assert (_trial(study).end, _trial(study).mute_run) == (TrialEnd(FinalState.COMPLETE), MuteRun(0, ("size",)))

    async def test_all_runs_are_told_of_one_whose_value_is_not_finite(self, world: World) -> None:
        study = await _asked(world, repeats=2)
        assert (await study.report(0, 1, batch((1, math.nan)), run=0)).reply.reason == "NotFinite"
        assert (await study.report(0, 1, batch((1, 0.1)), run=1)).reply.reason == "NotFinite"

    async def test_a_new_attempt_repeats_all_runs_and_keeps_their_values_until_they_report(self, world: World) -> None:
        study = await _asked(world, repeats=2)
        await study.report(0, 1, batch((1, 0.1), (2, 0.2), end=FinalState.COMPLETE), run=0)
        await study.report(0, 1, batch((1, 0.5)), run=1)
        await study.start_attempt(new_attempt(0, 2))
        assert (_trial(study).end, _trial(study).run_values) == (None, {0: 0.2, 1: 0.5})
        await study.report(0, 2, batch((1, 0.3)), run=0)
        assert _trial(study).run_values == {0: 0.3, 1: 0.5}
        await world.restart()
        study = await _open(world, repeats=2)
        assert (_trial(study).end, _trial(study).run_values) == (None, {0: 0.3, 1: 0.5})

    async def test_a_finished_trial_has_the_value_of_each_run(self, world: World) -> None:
        study = await _asked(world, folds=2)
        for run, value in enumerate((0.5, 0.25)):
            await study.report(0, 1, batch((1, value), end=FinalState.COMPLETE), run=run)
        await study.tell([outcome(0, 0.0, EndState.COMPLETE, last_words(study, 0))])
        await world.restart()
        finished = (await _open(world, folds=2)).finished(0)
        assert finished is not None
        assert (finished.value, finished.run_values, finished.std) == (0.375, {0: 0.5, 1: 0.25}, 0.125)

    @pytest.mark.parametrize("run", [-1, 2, 100])
    async def test_a_run_that_the_trial_does_not_have_is_not_found(self, world: World, run: int) -> None:
        study = await _asked(world, repeats=2)
        with pytest.raises(NotFound):
            await study.report(0, 1, batch((1, 0.5)), run=run)
        assert _trial(study).value is None

    async def test_a_trial_of_one_run_has_no_values_of_runs(self, world: World) -> None:
        study = await _asked(world)
        await study.report(0, 1, batch((1, 0.5)))
        assert (_trial(study).run_values, _trial(study).std, _trial(study).mute_run) == ({}, None, None)


class StoredRunsSuite:
    """What only a storage that outlives its process promises."""

    async def test_a_history_of_other_runs_is_not_gone_on_with(self, world: World) -> None:
        await _asked(world, folds=3)
        await world.restart()
        with pytest.raises(InvalidStudy, match=r"`trial.folds` is 5, but 3 in the study's stored history"):
            await _open(world, folds=5)
        with pytest.raises(InvalidStudy, match=r"`trial.repeats` is 2, but 1 in"):
            await _open(world, folds=3, repeats=2)


def _spec(**trial: int) -> StudySpec:
    spec = study_spec()
    return spec.model_copy(update={"trial": spec.trial.model_copy(update=trial)})


async def _open(world: World, **trial: int) -> TrialRepository:
    return await world.repositories.open(KEY, _spec(**trial))


async def _asked(world: World, **trial: int) -> TrialRepository:
    study = await _open(world, **trial)
    await study.ask(1)
    return study


def _trial(study: TrialRepository) -> OpenTrial:
    (trial,) = study.history().open
    return trial
