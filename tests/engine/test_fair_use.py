"""Caps that studies share."""

from __future__ import annotations

from typing import Any

from tests.builders import STUDY
from tests.engine.world import EngineInAWorld
from tuning_operator.decisions.snapshot import UNLIMITED, StudyKey
from tuning_operator.fair_use import FairUse
from tuning_operator.settings import Settings

A1, A2, B1 = StudyKey("a", "one", "uid-a1"), StudyKey("a", "two", "uid-a2"), StudyKey("b", "one", "uid-b1")


class Ledger(FairUse):
    """A ledger that keeps whom it woke."""

    def __init__(self, **caps: Any) -> None:
        self.woken: list[str] = []
        super().__init__(Settings(**caps), self.woken.append)

    def left(self, study: StudyKey) -> int:
        return self.allowance(study).trials


def test_without_caps_nothing_is_limited() -> None:
    ledger = Ledger()
    ledger.reserve(A1, 500, held_back=False)
    assert ledger.allowance(A1) is UNLIMITED


def test_a_namespaces_studies_share_its_parallel_trials() -> None:
    ledger = Ledger(namespace_parallelism=10)
    ledger.take_stock(A1, open_trials=7, total=100)
    assert (ledger.left(A2), ledger.left(B1)) == (3, 10)
    assert "allows the namespace a 10 trials in parallel" in ledger.allowance(A2).cap


def test_what_is_reserved_is_not_given_away_twice() -> None:
    ledger = Ledger(operator_parallelism=10)
    ledger.reserve(A1, 8, held_back=False)
    assert ledger.left(B1) == 2
    ledger.take_stock(A1, open_trials=5, total=5)
    assert ledger.left(B1) == 5, "three of the reserved could not be asked for"


def test_the_tightest_cap_is_the_one_that_is_named() -> None:
    ledger = Ledger(namespace_parallelism=10, operator_trials=3)
    ledger.take_stock(B1, open_trials=0, total=2)
    assert ledger.left(A1) == 1
    assert "3 trials in the studies that exist" in ledger.allowance(A1).cap


def test_who_waits_is_woken_when_a_trial_ends_or_a_study_goes() -> None:
    ledger = Ledger(namespace_parallelism=1)
    ledger.take_stock(A1, open_trials=1, total=1)
    ledger.reserve(A2, 0, held_back=True)
    ledger.take_stock(A1, open_trials=1, total=1)
    assert ledger.woken == []
    ledger.take_stock(A1, open_trials=0, total=1)
    assert ledger.woken == ["uid-a2"]
    ledger.take_stock(A1, open_trials=1, total=2)
    ledger.forget(A1)
    assert ledger.woken == ["uid-a2", "uid-a2"]


def test_a_study_with_its_share_leaves_the_freed_slot_to_the_one_that_waits() -> None:
    ledger = Ledger(namespace_parallelism=4)
    ledger.take_stock(A1, open_trials=4, total=4)
    ledger.reserve(A2, 0, held_back=True)
    ledger.take_stock(A1, open_trials=3, total=4)
    assert (ledger.left(A1), ledger.left(A2)) == (0, 1)


def test_namespaces_share_the_operator_whatever_the_number_of_their_studies() -> None:
    ledger = Ledger(operator_parallelism=10)
    ledger.take_stock(A1, open_trials=5, total=5)
    ledger.take_stock(A2, open_trials=4, total=4)
    ledger.reserve(B1, 0, held_back=True)
    assert (ledger.left(A1), ledger.left(A2), ledger.left(B1)) == (0, 0, 1)


def test_who_waits_no_more_leaves_its_share_to_the_others() -> None:
    ledger = Ledger(namespace_parallelism=4)
    ledger.take_stock(A1, open_trials=2, total=2)
    ledger.reserve(A2, 0, held_back=True)
    ledger.reserve(A1, 0, held_back=True)
    ledger.reserve(A2, 0, held_back=False)
    assert (ledger.left(A1), ledger.woken) == (2, ["uid-a1"])


async def test_after_a_restart_a_study_counts_as_its_status_shows_it_until_its_history_is_loaded() -> None:
    world = EngineInAWorld(caps={"namespace_parallelism": 3}, maxTrials=9, parallelism=3)
    await world.step()
    world.fair_use.forget(STUDY)
    world.resource = world.resource.model_copy(update={"status": world.shown})
    world.new_engine()
    assert world.fair_use.allowance(StudyKey(STUDY.namespace, "other", "uid-other")).trials == 0


async def test_a_study_at_a_cap_waits_says_which_and_goes_on_when_there_is_room() -> None:
    world = EngineInAWorld(caps={"namespace_parallelism": 3}, maxTrials=9, parallelism=4)
    other = StudyKey("team-a", "other", "uid-other")
    world.fair_use.take_stock(other, open_trials=2, total=2)
    await world.step()
    assert len(world.job_names()) == 1
    degraded = world.condition("Degraded")
    assert (degraded["status"], degraded["reason"]) == ("True", "CapReached")
    assert "allows the namespace team-a 3 trials in parallel" in degraded["message"]
    world.fair_use.forget(other)
    await world.step()
    assert len(world.job_names()) == 3


async def test_a_study_whose_first_trial_meets_a_cap_is_accepted_and_waits() -> None:
    world = EngineInAWorld(caps={"operator_trials": 5})
    world.fair_use.take_stock(StudyKey("team-b", "old", "uid-old"), open_trials=0, total=5)
    await world.step()
    assert world.job_names() == []
    assert world.shown["phase"] == "Pending"
    assert "CapReached" in world.events.reasons
