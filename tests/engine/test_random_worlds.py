"""Whatever happens in whatever order, and wherever the operator dies: the invariants of a study hold."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import STUDY, trial_fields
from tests.engine.world import EngineInAWorld
from tuning_contract import FinalState, TrialEnd
from tuning_operator.api.retries import FailureClass
from tuning_operator.decisions.seen_jobs import JobPhase, TrialJob
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.decisions.trials import EndState
from tuning_operator.errors import ClusterUnavailable, JobRefused, StorageUnavailable, Unavailable

MAX_TRIALS = 8
PARALLELISM = 3


_TO_JOBS = ("start", "report", "end", "exit", "fail", "disrupt", "delete", "queue", "stall")
EVENTS = (*_TO_JOBS, "time", "time", "restart", "api", "db", "suspend", "stop", "limits", "rival")
RIVAL = StudyKey(STUDY.namespace, "rival", "99998888-7777-6666-5555-444433332222")


def _spec(dice: random.Random) -> dict[str, Any]:
    """Return a spec's fields as some user may write them; each study lives through several."""
    reasons = dice.choice([[], [reason.value for reason in FailureClass], None, ["NotFinite", "NoObjective"]])
    retries = {"limit": dice.choice([0, 1, 3])} | ({} if reasons is None else {"reasons": reasons})
    trial = trial_fields(retries=retries, deadlines=dice.choice([{}, {"start": "1m"}, {"run": "1m", "silence": "30s"}]))
    trial["template"]["spec"]["containers"][0]["resources"] = {"limits": {"nvidia.com/gpu": 2}}
    search = dice.choice([{}, {}, {"seed": 1, "deterministic": True}])
    return {"maxTrials": MAX_TRIALS, "parallelism": PARALLELISM, "search": search, "trial": trial}


def _stopping(dice: random.Random) -> dict[str, Any]:
    rules: list[dict[str, Any]] = [
        {"duration": dice.choice(["1m", "2h"])},
        {"gpuHours": dice.choice([0.02, 5])},
        {"plateau": {"trials": dice.choice([2, 6]), "minImprovement": 0.1}},
        {"failedTrials": {"total": dice.choice([2, 6])}},
        {"trials": dice.sample(range(MAX_TRIALS), 2)},
        {"now": dice.choice(["Drain", "Terminate"])},
    ]
    return {"onEnd": dice.choice(["Drain", "Terminate"]), **dice.choice(rules)}


async def _something_happens(world: EngineInAWorld, dice: random.Random) -> None:
    jobs = sorted(world.jobs.observed(STUDY), key=lambda job: job.name)
    active = [job for job in jobs if job.is_active]
    open_numbers = {(trial.number, trial.attempt) for trial in world.trials.history().open}
    event = dice.choice(EVENTS)
    if event == "time":
        world.clock.advance(dice.choice([1, 15, 40, 2000, -500]))
    elif event == "restart":
        world.new_engine()
        world.jobs.forget()
    elif event == "api":
        world.jobs.fail_next(dice.choice([ClusterUnavailable("away"), JobRefused("not like that")]))
    elif event == "db":
        world.trials.fail_next(StorageUnavailable("away"))
    elif event == "suspend":
        enabled, mode = dice.choice([(True, "Drain"), (True, "Terminate"), (False, "Drain"), (False, "Drain")])
        world.edit(**_spec(dice), suspend={"enabled": enabled, "mode": mode})
    elif event == "stop":
        world.edit(**_spec(dice), stopping=_stopping(dice))
    elif event == "limits":
        limits = {"maxTrials": dice.randint(PARALLELISM, MAX_TRIALS), "parallelism": dice.randint(1, PARALLELISM)}
        world.edit(**_spec(dice) | limits)
    elif event == "rival":
        world.fair_use.take_stock(RIVAL, dice.randint(0, PARALLELISM), 10)
        world.fair_use.reserve(RIVAL, 0, held_back=dice.choice([True, False]))
    elif active:
        await _something_happens_to_a_job(world, dice, event, dice.choice(active), open_numbers)


async def _something_happens_to_a_job(
    world: EngineInAWorld, dice: random.Random, event: str, job: TrialJob, open_numbers: set[tuple[int, int]]
) -> None:
    alive = job.phase is JobPhase.RUNNING and (job.trial, job.attempt) in open_numbers
    if event == "start" and job.phase is JobPhase.PENDING:
        world.jobs.start(job.name)
    elif event == "stall" and job.phase is JobPhase.PENDING:
        world.jobs.stall(job.name, dice.choice(["Unschedulable: no room", "ImagePullBackOff: no such image"]))
    elif event == "queue" and job.phase is JobPhase.SUSPENDED:
        world.jobs.release(job.name)
    elif event == "queue":
        world.jobs.hold_back(job.name)
    elif event == "exit" and job.phase is JobPhase.RUNNING:
        world.jobs.finish(job.name)
    elif event == "fail":
        code = dice.choice([1, 75, 137, 143])
        world.jobs.fail(job.name, code, cause="OOMKilled" if code == 137 else "")
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


async def _pods_report(world: EngineInAWorld, dice: random.Random) -> None:
    """Let reports and last messages come in while the engine acts on what it saw before."""
    open_numbers = {(trial.number, trial.attempt) for trial in world.trials.history().open}
    for job in sorted(world.jobs.observed(STUDY), key=lambda job: job.name):
        await _something_happens_to_a_job(world, dice, dice.choice(["report", "end", "end"]), job, open_numbers)


def _acknowledged(world: EngineInAWorld) -> dict[int, float]:
    """Return the open trials that were told that their end as complete is taken, with their values."""
    complete = (trial for trial in world.trials.history().open if trial.end == TrialEnd(FinalState.COMPLETE))
    return {t.number: t.value for t in complete if t.value is not None and math.isfinite(t.value)}


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
    counted = sum(of.attempt_seconds for of in (*world.metrics.ends, *world.metrics.new_attempts))
    stored = history.running_seconds + sum(trial.earlier.running_seconds for trial in history.open)
    assert math.isclose(counted, stored, abs_tol=1e-3), "the time of each attempt is counted once"


async def _check_that_it_rests(world: EngineInAWorld) -> None:
    """Where nothing happens, a study soon does nothing."""
    for _ in range(12):  # as many as errors may be under way
        await _step(world)
    requests, written = world.jobs.requests, len(world.status.written)
    due = await world.step()
    assert (world.jobs.requests, len(world.status.written)) == (requests, written), "it asks for nothing more"
    assert due is None or due > world.clock.now(), "it does not spin"


async def _live_through(seed: int, events: int) -> None:
    dice = random.Random(seed)
    caps = dice.choice([{}, {"namespace_parallelism": 4}, {"operator_parallelism": 3}])
    world = EngineInAWorld(caps, dice.choice([None, None, 1, 2]), **_spec(dice))
    world.jobs.deletes_linger = dice.random() < 0.3
    acknowledged: dict[int, float] = {}

    async def meanwhile() -> None:
        await _pods_report(world, dice)
        acknowledged.update(_acknowledged(world))

    for _ in range(events):
        for _ in range(dice.randint(0, 3)):
            await _something_happens(world, dice)
        acknowledged.update(_acknowledged(world))
        world.trials.meanwhile = meanwhile if dice.random() < 0.5 else None
        await (_step_without_answers(world) if dice.random() < 0.3 else _step(world))
        _check(world)
        world.trials.meanwhile = None
        if dice.random() < 0.2:
            await _check_that_it_rests(world)
            _check(world)
    await _come_to_an_end(world)
    for number, value in acknowledged.items():
        trial = world.trials.finished(number)
        assert trial is not None
        assert (trial.state, trial.value) == (EndState.COMPLETE, value), "what was acknowledged is true"


async def _come_to_an_end(world: EngineInAWorld) -> None:
    """In quiet times every study ends, and no Job stays."""
    world.edit(maxTrials=MAX_TRIALS, parallelism=PARALLELISM)
    world.fair_use.forget(RIVAL)
    for _ in range(12 * MAX_TRIALS):
        world.clock.advance(40)
        await _step(world)
        _check(world)
        for job in world.jobs.observed(STUDY):
            if job.deleting:
                world.jobs.remove(job.name)
            elif job.phase is JobPhase.SUSPENDED:
                world.jobs.release(job.name)
            elif job.phase is JobPhase.PENDING:
                world.jobs.start(job.name)
            elif job.phase is JobPhase.RUNNING:
                world.jobs.finish(job.name)
    history = world.trials.history()
    assert not history.open
    assert history.complete + history.pruned + history.failed == MAX_TRIALS
    assert world.shown["phase"] in ("Complete", "Failed")
    assert not [job for job in world.jobs.observed(STUDY) if job.is_active]
    conditions = {condition["type"]: condition["status"] for condition in world.shown["conditions"]}
    assert conditions["Degraded"] == "False"
    assert {conditions["Running"], conditions["Suspended"]} == {"False"}
    assert {conditions["Complete"], conditions["Failed"]} == {"True", "False"}


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), events=st.integers(1, 40))
def test_no_trial_is_lost_or_doubled_and_every_study_ends(seed: int, events: int) -> None:
    asyncio.run(_live_through(seed, events))
