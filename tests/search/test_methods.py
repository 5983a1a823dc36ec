"""What every sampler and every strategy promises."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import pytest
from optuna.trial import FrozenTrial, TrialState

from tests.search.drafting import Drafting
from tests.search.methods import METHODS, STRATEGIES, TREE, spec_of
from tests.search.studies import batch, outcome
from tests.search.worlds import DatabaseWorld
from tuning_operator.api.samplers import INHERITING, Sampler, SamplerName
from tuning_operator.api.samplers import STRATEGIES as STRATEGY_NAMES
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.schedule import schedule_of
from tuning_operator.decisions.trials import EndState, OpenTrial
from tuning_operator.search.lineage import lineage_of

METHOD = pytest.mark.parametrize("method", METHODS, ids=str)
PLANNED = [strategy for strategy in STRATEGIES if strategy["name"] in {name.value for name in INHERITING}]
"""Strategies that come to an end by themselves."""

LONG, SHORT = 150, 24
"""Trials after which a strategy and a sampler have shown what they do; strategies of these sizes have ended by then."""


class Play:
    """A study with 4 places, whose trials end in a random order, and some of them badly."""

    def __init__(
        self, method: dict[str, Any], badly: float = 0.3, restarts: bool = False, spec: StudySpec | None = None
    ) -> None:
        self.drafting = Drafting(spec or spec_of(method))
        self.most = LONG if method in STRATEGIES else SHORT
        self._dice = random.Random(5)
        self._badly = badly
        self._restarts = restarts

    def steps(self) -> Iterator[list[int]]:
        """Let free places be filled and one trial end, until nothing runs; yield the open trials' numbers."""
        open_: list[int] = []
        while self.asked < self.most:
            if self._restarts:
                self.drafting.restart()
            before = self.asked
            self.drafting.ask(4 - len(open_))
            open_ += range(before, self.asked)
            yield open_
            if not open_:
                return
            number = open_.pop(self._dice.randrange(len(open_)))
            bad = self._dice.random() < self._badly
            state = self._dice.choice([TrialState.FAIL, TrialState.PRUNED]) if bad else TrialState.COMPLETE
            self.drafting.tell_trial(number, self._dice.gauss(0, 1), state)

    def to_the_end(self) -> list[FrozenTrial]:
        """Return the trials once it is over."""
        for _ in self.steps():
            pass
        return self.drafting.trials

    @property
    def asked(self) -> int:
        """Trials so far."""
        return len(self.drafting.trials)


def test_every_method_is_tested() -> None:
    assert {method["name"] for method in METHODS} | {"GP"} == {name.value for name in SamplerName}
    assert {strategy["name"] for strategy in STRATEGIES} == {name.value for name in STRATEGY_NAMES}


@METHOD
def test_points_lie_in_the_space_whatever_became_of_the_trials_before(method: dict[str, Any]) -> None:
    play = Play(method)
    parameters = spec_of(method).parameters
    for trial in play.to_the_end():
        values = play.drafting.typed(trial)
        assert list(values) == [parameter.name for parameter in parameters]
        assert all(parameter.contains(values[parameter.name]) for parameter in parameters), values


@pytest.mark.parametrize("strategy", STRATEGIES, ids=str)
def test_a_strategys_trials_have_the_parameters_that_their_others_call_for(strategy: dict[str, Any]) -> None:
    if "mutate" in strategy.get("options", {}):
        strategy = {**strategy, "options": {"mutate": ["layers", "rate", "optimizer"]}}
    spec = spec_of(strategy, TREE)
    play = Play(strategy, spec=spec)
    seen: set[str] = set()
    for trial in play.to_the_end():
        values = play.drafting.typed(trial)
        assert list(values) == [parameter.name for parameter in spec.parameters if parameter.is_active(values)]
        known = {parameter.name: parameter for parameter in spec.parameters}
        assert all(known[name].contains(value) for name, value in values.items())
        seen |= set(values)
        lineage = lineage_of(trial)
        if lineage.parent is not None and "was changed" not in lineage.note:
            assert trial.params == play.drafting.trials[lineage.parent].params
    assert strategy["name"] == "MIHA" or "nested" in seen


@METHOD
def test_a_restart_at_any_step_changes_nothing(method: dict[str, Any]) -> None:
    without, restarted = (
        [(trial.params, trial.user_attrs) for trial in Play(method, restarts=restarts).to_the_end()]
        for restarts in (False, True)
    )
    assert without == restarted


@METHOD
def test_one_ask_of_many_equals_many_asks_of_one(method: dict[str, Any]) -> None:
    at_once, one_by_one = Drafting(spec_of(method)), Drafting(spec_of(method))
    for drafting in (at_once, one_by_one):
        drafting.ask(6)
        drafting.tell([0.1, None, 0.3, 0.2])
    asked = at_once.ask(6)
    assert [trial for _ in range(6) for trial in one_by_one.ask(1)] == asked


@METHOD
def test_nothing_is_asked_for_any_more_only_when_the_search_is_exhausted(method: dict[str, Any]) -> None:
    """A method that waits while nothing runs would wait for ever."""
    play = Play(method)
    for open_ in play.steps():
        if not open_:
            assert play.drafting.asking.size() == play.asked
            play.drafting.restart()
            assert play.drafting.asking.size() == play.asked
            assert play.drafting.ask(4) == []


@METHOD
def test_a_study_whose_trials_all_fail_comes_to_an_end_or_goes_on(method: dict[str, Any]) -> None:
    play = Play(method, badly=1.0)
    play.to_the_end()
    assert play.asked == play.most or play.drafting.asking.size() == play.asked


@pytest.mark.parametrize("strategy", PLANNED, ids=str)
def test_a_strategy_waits_for_trials_and_is_asked_again_when_one_has_ended(strategy: dict[str, Any]) -> None:
    play = Play(strategy, badly=0.0)
    waited = [len(open_) < 4 for open_ in play.steps()]
    assert any(waited)


@pytest.mark.parametrize("strategy", {method["name"]: method for method in reversed(PLANNED)}.values(), ids=str)
async def test_trials_of_an_earlier_search_are_not_counted_as_the_strategys(
    sqlite_world: DatabaseWorld, strategy: dict[str, Any]
) -> None:
    with_strategy = spec_of(strategy)
    schedule = schedule_of(with_strategy.search.sampler.parsed_options())
    assert schedule is not None
    random = with_strategy.search.model_copy(update={"sampler": Sampler()})
    sqlite_world.spec = with_strategy.model_copy(update={"search": random, "max_trials": 1000})
    study = await sqlite_world.open()
    while (earlier := study.history().total) < schedule.trials:
        await study.ask(min(20, schedule.trials - earlier))
    await study.tell([outcome(number, 1.0, EndState.COMPLETE) for number in range(earlier)])
    sqlite_world.spec = with_strategy.model_copy(update={"max_trials": 1000})
    study = await sqlite_world.reopen()
    while not study.history().exhausted:
        for trial in await study.ask(1):
            await study.tell([outcome(trial.number, 1.0, EndState.COMPLETE)])
    assert study.history().total == earlier + schedule.trials


@METHOD
async def test_asks_at_the_same_time_equal_asks_one_after_the_other(
    sqlite_world: DatabaseWorld, method: dict[str, Any]
) -> None:
    sqlite_world.spec = spec_of(method)
    study = await sqlite_world.open()
    asked = await asyncio.gather(*(study.ask(2) for _ in range(4)))
    trials = sorted((trial for some in asked for trial in some), key=lambda trial: trial.number)
    assert [trial.parameters for trial in trials] == Drafting(spec_of(method)).ask(len(trials))


@pytest.mark.parametrize("strategy", {method["name"]: method for method in reversed(PLANNED)}.values(), ids=str)
async def test_a_strategy_comes_to_its_end_on_a_database_that_is_opened_anew_at_every_step(
    sqlite_world: DatabaseWorld, strategy: dict[str, Any]
) -> None:
    sqlite_world.spec = spec_of(strategy)
    study = await sqlite_world.open()
    without = Drafting(sqlite_world.spec)
    while (history := study.history()).open or not history.exhausted:
        asked = await study.ask(2)
        assert [trial.parameters for trial in asked] == without.ask(max(1, len(asked)))
        if asked:
            assert not study.history().waits
        else:
            assert study.history().exhausted or study.history().waits
        if history.open or asked:
            first: OpenTrial = study.history().open[0]
            value = float(first.number % 5)
            await study.report(first.number, 1, batch((1, value)))
            await study.tell([outcome(first.number, value, EndState.COMPLETE)])
            without.tell_trial(first.number, value)
            assert not study.history().waits
        lineages = [trial.lineage for trial in study.trials(-1, 1000)]
        study = await sqlite_world.reopen()
        assert [trial.lineage for trial in study.trials(-1, 1000)] == lineages
    assert (await sqlite_world.reopen()).history().exhausted
