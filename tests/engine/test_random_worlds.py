"""Whatever happens in whatever order, and wherever the operator dies: the invariants of a study hold."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import STUDY
from tests.engine.world import EngineInAWorld
from tuning_operator.decisions.snapshot import JobPhase, TrialJob
from tuning_operator.errors import ClusterUnavailable, StorageUnavailable, Unavailable

MAX_TRIALS = 8
PARALLELISM = 3


async def _something_happens(world: EngineInAWorld, dice: random.Random) -> None:
    jobs = sorted(world.jobs.observed(STUDY), key=lambda job: job.name)
    active = [job for job in jobs if job.is_active]
    open_numbers = {(trial.number, trial.attempt) for trial in world.trials.history().open}
    event = dice.choice(
        ["start", "report", "end", "exit", "fail", "disrupt", "delete", "time", "restart", "api", "db", "suspend"]
    )
    if event == "time":
        world.clock.advance(dice.choice([1, 40, 2000]))
    elif event == "restart":
        world.new_engine()
        world.jobs.forget()
    elif event == "api":
        world.jobs.fail_next(ClusterUnavailable("away"))
    elif event == "db":
        world.trials.fail_next(StorageUnavailable("away"))
    elif event == "suspend":
        enabled, mode = dice.choice([(True, "Drain"), (True, "Terminate"), (False, "Drain"), (False, "Drain")])
        suspend = {"enabled": enabled, "mode": mode}
        world.edit(maxTrials=MAX_TRIALS, parallelism=PARALLELISM, suspend=suspend)
    elif active:
        await _something_happens_to_a_job(world, dice, event, dice.choice(active), open_numbers)


async def _something_happens_to_a_job(
    world: EngineInAWorld, dice: random.Random, event: str, job: TrialJob, open_numbers: set[tuple[int, int]]
) -> None:
    alive = job.phase is JobPhase.RUNNING and (job.trial, job.attempt) in open_numbers
    if event == "start" and job.phase is JobPhase.PENDING:
        world.jobs.start(job.name)
    elif event == "exit" and job.phase is JobPhase.RUNNING:
        world.jobs.finish(job.name)
    elif event == "fail":
        world.jobs.fail(job.name, dice.choice([1, 75, 137]))
    elif event == "disrupt":
        world.jobs.disrupt(job.name)
    elif event == "delete":
        world.jobs.remove(job.name)
    elif event in ("report", "end") and alive:
        if dice.random() < 0.3:
            world.trials.prune_on_report.add(job.trial)
        value = dice.choice([0.1, 0.5, 0.9, math.nan])
        end = dice.choice(["Complete", "Pruned", "Failed"]) if event == "end" else None
        try:
            await world.report(job.trial, value, step=dice.randint(1, 5), end=end)
        except StorageUnavailable:
            return


async def _step_without_answers(world: EngineInAWorld) -> None:
    """Step while the API server does not answer; what is being created then is under way until the next step."""
    world.jobs.answering.clear()
    step = asyncio.create_task(world.engine.step(world.resource, world.trials, world.clock.now()))
    for _ in range(100):
        await asyncio.sleep(0)
    if not step.done():  # it waits for a Job that it will delete
        world.jobs.answering.set()
    await asyncio.wait([step])
    if not isinstance(step.exception(), Unavailable | None):
        await step


async def _step(world: EngineInAWorld) -> None:
    world.jobs.answering.set()
    try:
        await world.step()
    except Unavailable:
        return


def _check(world: EngineInAWorld) -> None:
    history = world.trials.history()
    known = world.trials.trials(-1, 1000)
    assert [trial.number for trial in known] == list(range(history.total)), "numbers are consecutive"
    assert history.total <= MAX_TRIALS
    assert len(history.open) <= PARALLELISM, "never more open trials than parallelism"
    launched = Counter((job.trial, job.attempt) for job in world.jobs.observed(STUDY))
    assert not launched or max(launched.values()) == 1, "one Job per trial and attempt"
    told = Counter(outcome.number for outcome in world.metrics.ends)
    assert not told or max(told.values()) == 1, "every trial is told once"


async def _live_through(seed: int, events: int) -> None:
    dice = random.Random(seed)
    world = EngineInAWorld(maxTrials=MAX_TRIALS, parallelism=PARALLELISM)
    for _ in range(events):
        for _ in range(dice.randint(0, 3)):
            await _something_happens(world, dice)
        await (_step_without_answers(world) if dice.random() < 0.3 else _step(world))
        _check(world)
    await _come_to_an_end(world)


async def _come_to_an_end(world: EngineInAWorld) -> None:
    """In quiet times every study ends, and no Job stays."""
    world.edit(maxTrials=MAX_TRIALS, parallelism=PARALLELISM)
    for _ in range(12 * MAX_TRIALS):
        world.clock.advance(40)
        await _step(world)
        _check(world)
        for job in world.jobs.observed(STUDY):
            if job.phase is JobPhase.PENDING:
                world.jobs.start(job.name)
            elif job.phase is JobPhase.RUNNING:
                world.jobs.finish(job.name)
    history = world.trials.history()
    assert not history.open
    assert history.complete + history.pruned + history.failed == MAX_TRIALS
    assert world.shown["phase"] in ("Complete", "Failed")
    assert not [job for job in world.jobs.observed(STUDY) if job.is_active]


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), events=st.integers(1, 40))
def test_no_trial_is_lost_or_doubled_and_every_study_ends(seed: int, events: int) -> None:
    asyncio.run(_live_through(seed, events))
