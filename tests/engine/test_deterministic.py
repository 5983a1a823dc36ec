"""A deterministic study has the same trials and the same end, whatever there is room for and whichever end first."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.builders import STUDY, trial_fields
from tests.engine.world import EngineInAWorld
from tuning_operator.decisions.seen_jobs import JobPhase
from tuning_operator.decisions.trials import EndState

PARALLELISM, MAX_TRIALS = 4, 16

RULES: dict[str, dict[str, Any]] = {
    "goal": {"objectives": [{"metric": "accuracy", "direction": "Maximize", "goal": 0.9}]},
    "plateau": {"stopping": {"plateau": {"trials": 4, "minImprovement": 0.05}}},
    "failed": {"stopping": {"failedTrials": {"total": 3}}},
    "in a row": {"stopping": {"failedTrials": {"consecutive": 2}}},
    "none": {},
}

Ends = list[tuple[EndState, float | None]]


def _trainings(seed: int) -> list[float | None]:
    """Return what each trial's training comes to; None: it fails."""
    dice = random.Random(seed)
    return [None if dice.random() < 0.2 else round(dice.random(), 2) for _ in range(MAX_TRIALS)]


async def _live_through(
    rule: str, trainings: list[float | None], dice: random.Random, room: int | None
) -> tuple[Ends, str, str]:
    """Return how the trials ended, why the study did, and in which words."""
    search = {"seed": 1, "deterministic": True}
    limits = {"maxTrials": MAX_TRIALS, "parallelism": PARALLELISM}
    trial = trial_fields(retries={"limit": 1, "reasons": ["Preempted"]})
    world = EngineInAWorld(room=room, **{"search": search, "trial": trial, **limits, **RULES[rule]})
    for _ in range(20 * MAX_TRIALS):
        world.clock.advance(40)
        await world.step()
        active = [job for job in world.jobs.observed(STUDY) if job.is_active]
        assert len(active) <= min(PARALLELISM, room or PARALLELISM)
        for job in dice.sample(active, dice.randint(0, len(active))):
            value = trainings[job.trial]
            if job.phase is JobPhase.PENDING:
                world.jobs.start(job.name)
            elif job.attempt == 1 and dice.random() < 0.2:
                world.jobs.disrupt(job.name)
            elif world.trials.finished(job.trial) is None:
                await world.report(
                    job.trial, 0.0 if value is None else value, end="Failed" if value is None else "Complete"
                )
                world.jobs.finish(job.name)
        if dice.random() < 0.1:
            world.new_engine()
    assert not world.trials.history().open
    over = next(
        it for it in world.shown["conditions"] if it["type"] in ("Complete", "Failed") and it["status"] == "True"
    )
    ended = [world.trials.finished(number) for number in range(world.trials.history().total)]
    return [(trial.state, trial.value) for trial in ended if trial is not None], over["reason"], over["message"]


@pytest.mark.parametrize("room", [1, 2, None])
@pytest.mark.parametrize("rule", RULES)
async def test_neither_room_nor_the_order_of_ends_changes_a_trial_or_the_end(rule: str, room: int | None) -> None:
    for seed in range(2):
        trainings = _trainings(seed)
        usual = await _live_through(rule, trainings, random.Random(seed), None)
        assert await _live_through(rule, trainings, random.Random(seed + 100), room) == usual
