"""Any step may be the last one: nothing is lost, doubled or half written."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from optuna.storages import RDBStorage

from tests.builders import new_attempt
from tests.search.studies import KEY, batch, last_words, outcome, pruning, study_spec
from tests.search.worlds import DatabaseWorld, FaultyStatements, lost_commit
from tuning_contract import FinalState
from tuning_operator.decisions.actions import KeptPodTime
from tuning_operator.decisions.trials import EndState, PodTime
from tuning_operator.errors import StorageUnavailable
from tuning_operator.search.repository import StudyRepository

Step = Callable[[StudyRepository], Awaitable[object]]

STEPS: tuple[Step, ...] = (
    lambda study: study.ask(3),
    lambda study: study.report(0, 1, batch((1, 0.8), (2, 0.9))),
    lambda study: study.report(1, 1, batch((1, 0.7), (2, 0.7), (3, 0.7))),
    lambda study: study.tell([outcome(0, 0.9)]),
    lambda study: study.start_attempt(new_attempt(1, 2)),
    lambda study: study.report(1, 2, batch((2, 0.95), end=FinalState.COMPLETE)),
    lambda study: study.report(2, 1, batch((1, 0.1))),
    lambda study: study.keep_pod_times([KeptPodTime(2, 1, PodTime(12.5, 1_800_000_100.0, goes_on=True))]),
    lambda study: study.tell(
        [
            outcome(1, 0.95, after=last_words(study, 1)),
            outcome(2, 0.1, EndState.PRUNED, last_words(study, 2)),
        ]
    ),
    lambda study: study.ask(2),
)
"""A study's life; the seventh step takes two transactions, for its report is stored and then leads to pruning."""
_PRUNES = 6


def _memory(study: StudyRepository) -> tuple[object, ...]:
    return study.history(), tuple(study.trials(-1, 100))


def _everything(study: StudyRepository) -> tuple[object, ...]:
    return *_memory(study), [study.reports(number) for number in range(5)]


async def _live(study: StudyRepository) -> None:
    for step in STEPS:
        await step(study)


@pytest.fixture
def pruning_world(world: DatabaseWorld) -> DatabaseWorld:
    """A world whose study prunes."""
    world.spec = study_spec(search=pruning())
    return world


async def test_what_is_loaded_equals_what_was_in_memory(pruning_world: DatabaseWorld) -> None:
    study = await pruning_world.open()
    for step in STEPS:
        await step(study)
        before = _everything(study)
        study = await pruning_world.reopen()
        assert _everything(study) == before


async def test_the_mirror_equals_what_optuna_reads_from_the_database(pruning_world: DatabaseWorld) -> None:
    study = await pruning_world.open()
    await _live(study)
    reader = RDBStorage(pruning_world.database.url.render_as_string(hide_password=False))
    try:
        study_id = reader.get_study_id_from_name(f"{KEY.namespace}/{KEY.name}/{KEY.uid}")
        assert study._frozen() == reader.get_all_trials(study_id)
    finally:
        reader.engine.dispose()


async def test_a_statement_that_fails_leaves_memory_and_database_equal_and_can_be_repeated(
    pruning_world: DatabaseWorld,
) -> None:
    expected = await _fault_free(pruning_world)
    statement = 1
    while True:
        study = await pruning_world.open()
        with FaultyStatements(pruning_world.database, statement) as faults:
            for index, step in enumerate(STEPS):
                before = _memory(study)
                try:
                    await step(study)
                except StorageUnavailable:
                    after = _memory(study)
                    assert after == before or index == _PRUNES
                    break
        if not faults.fired:
            break
        study = await pruning_world.reopen()
        assert _memory(study) == after
        for step in STEPS[index:]:
            await step(study)
        assert _everything(study) == expected
        await pruning_world.repositories.delete_history(KEY)
        statement += 1
    assert statement > 20  # it has tried them all


@pytest.mark.parametrize("nth", range(1, 12))
async def test_a_commit_whose_answer_is_lost_can_be_repeated(
    pruning_world: DatabaseWorld, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    expected = await _fault_free(pruning_world)
    study = await pruning_world.open()
    failures = 0
    with lost_commit(monkeypatch, nth):
        for step in STEPS:
            try:
                await step(study)
            except StorageUnavailable:
                failures += 1
                await step(study)
    assert failures == 1
    assert _everything(study) == expected
    assert _everything(await pruning_world.reopen()) == expected


async def test_an_end_that_is_acknowledged_after_a_commit_whose_answer_was_lost_counts(
    world: DatabaseWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = await world.open()
    await study.ask(2)
    for number in (0, 1):
        await study.report(number, 1, batch((1, 0.5)))
    failed, complete = EndState.FAILED, EndState.COMPLETE
    with lost_commit(monkeypatch), pytest.raises(StorageUnavailable):
        await study.tell([outcome(0, None, failed), outcome(1, 0.5, complete)])
    await study.report(0, 1, batch((2, 0.75), end=FinalState.COMPLETE))
    await study.report(1, 1, batch(end=FinalState.FAILED))
    assert await study.tell([outcome(0, None, failed), outcome(1, 0.5, complete)]) == {0, 1}
    after = [last_words(study, number) for number in (0, 1)]
    assert not await study.tell([outcome(0, 0.75, complete, after[0]), outcome(1, None, failed, after[1])])
    before = _everything(study)
    assert [(trial.state, trial.value) for trial in map(study.finished, (0, 1)) if trial is not None] == [
        (complete, 0.75),
        (failed, None),
    ]
    assert _everything(await world.reopen()) == before


async def test_an_ask_that_is_given_up_leaves_its_trials_to_the_next_look(world: DatabaseWorld) -> None:
    study = await world.open()
    asking = asyncio.create_task(study.ask(2))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    more = await study.ask(1)  # waits for its turn
    assert [trial.number for trial in more] == [2]
    assert [trial.number for trial in study.history().open] == [0, 1, 2]


async def test_no_acknowledged_report_is_lost_by_kill_9(database_url: str) -> None:
    script = Path(__file__).with_name("reporting_process.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), database_url, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    acknowledged = [await process.stdout.readline() for _ in range(40)]
    process.send_signal(signal.SIGKILL)
    acknowledged += (await process.stdout.read()).splitlines(keepends=True)
    await process.wait()
    world = DatabaseWorld(database_url)
    study = await world.open()
    for line in acknowledged:
        if line.endswith(b"\n"):  # the last one may be cut
            number, step = map(int, line.split())
            assert step in [report.step for report in study.reports(number)]
    frozen = study._frozen()
    for trial in frozen:
        assert sorted(trial.intermediate_values) == [report.step for report in study.reports(trial.number)]
    await world.repositories.aclose()


async def _fault_free(world: DatabaseWorld) -> tuple[object, ...]:
    study = await world.open()
    await _live(study)
    expected = _everything(study)
    await world.repositories.delete_history(KEY)
    return expected
