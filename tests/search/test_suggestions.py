"""Suggestions are ready before they are needed, and say what they would say if they were made in time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from optuna.trial import FrozenTrial, create_trial

from tests.search.studies import outcome, study_spec
from tests.search.worlds import DatabaseWorld
from tuning_operator.api.samplers import SamplerName
from tuning_operator.search import horizon, sampling
from tuning_operator.search.asking import Asking
from tuning_operator.search.horizon import ahead_of
from tuning_operator.search.repository import StudyRepository
from tuning_operator.search.suggester import Past, Suggestion
from tuning_operator.search.suggestions import Suggestions

TPE = {"name": "TPE", "options": {"nStartupTrials": 3}}


class NumberedSuggester:
    """Suggests trials that only have a number, each when it may."""

    def __init__(self, last: int = 1000) -> None:
        self.may = threading.Semaphore(0)
        self.calls: list[tuple[list[int], int]] = []
        """What each call told, and the number that it began with."""
        self._next, self._last = 0, last

    def suggest(self, ended: Sequence[FrozenTrial], count: int, seconds: float) -> list[Suggestion]:
        self.calls.append(([trial.number for trial in ended], self._next))
        suggestions = []
        for _ in range(min(count, self._last - self._next)):
            assert self.may.acquire(timeout=60)
            suggestions.append(Suggestion(numbered(self._next), {}))
            self._next += 1
            if seconds <= 0:
                break
        return suggestions

    def size(self) -> int | None:
        return None

    def why_none(self) -> str:
        return ""


def numbered(number: int) -> FrozenTrial:
    trial = create_trial(value=1.0)
    trial.number = number
    return trial


@pytest.fixture
async def threads() -> AsyncIterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def _suggesting(threads: ThreadPoolExecutor, ahead: int, may: int) -> tuple[NumberedSuggester, Suggestions]:
    """Return a suggester that may suggest so many, and who prepares so many of them ahead."""
    suggester = NumberedSuggester()
    suggester.may.release(may)
    return suggester, Suggestions(suggester, threads, ahead=lambda _: ahead, asked=0)


async def _until_ready(suggestions: Suggestions, count: int) -> None:
    while len(suggestions._ready) < count:
        assert suggestions._call is not None or suggestions._pause is not None
        await (asyncio.sleep(0.01) if suggestions._call is None else asyncio.wait([suggestions._call]))
        await asyncio.sleep(0)


async def test_what_was_prepared_is_handed_over_while_the_sampler_is_busy(threads: ThreadPoolExecutor) -> None:
    suggester, suggestions = _suggesting(threads, ahead=3, may=4)
    assert [each.trial.number for each in await suggestions.take(1)] == [0]
    await _until_ready(suggestions, 3)
    assert [each.trial.number for each in await suggestions.take(2)] == [1, 2]  # it may not suggest any more now
    suggester.may.release(10)
    assert [each.trial.number for each in await suggestions.take(1)] == [3]
    await _until_ready(suggestions, 3)
    suggestions.drop()


async def test_a_call_that_ends_in_the_moment_in_which_it_is_needed_is_taken(threads: ThreadPoolExecutor) -> None:
    suggester, suggestions = _suggesting(threads, ahead=1, may=1)
    await suggestions.take(1)
    call = suggestions._call
    assert call is not None
    suggester.may.release()
    threads.submit(lambda: None).result()  # the loop stands still until the thread is through with the call
    await asyncio.sleep(0)
    assert call.done()
    assert suggestions._call is call  # its callback has not run, and awaiting the call would let nothing run
    suggester.may.release()
    assert [each.trial.number for each in await suggestions.take(1)] == [1]
    await _until_ready(suggestions, 1)
    suggestions.drop()


async def test_no_more_is_prepared_than_is_allowed(threads: ThreadPoolExecutor) -> None:
    suggester, suggestions = _suggesting(threads, ahead=2, may=100)
    await suggestions.take(5)
    await _until_ready(suggestions, 2)
    assert suggestions._call is None
    assert suggester.calls[-1][1] == 6


async def test_while_there_are_enough_the_sampler_rests_until_jobs_are_created(threads: ThreadPoolExecutor) -> None:
    _, suggestions = _suggesting(threads, ahead=4, may=100)
    await suggestions.take(1)
    await _until_ready(suggestions, 4)
    await suggestions.take(2)
    assert suggestions._call is None
    await suggestions.take(1)
    assert suggestions._call is not None, "little is left"
    await _until_ready(suggestions, 4)
    suggestions.drop()
    assert suggestions._pause is None


async def test_without_need_nothing_is_prepared(threads: ThreadPoolExecutor) -> None:
    suggester, suggestions = _suggesting(threads, ahead=0, may=1)
    await suggestions.take(1)
    assert suggestions._call is None
    assert suggester.calls == [([], 0)]


async def test_ends_are_told_with_the_next_call_each_once(threads: ThreadPoolExecutor) -> None:
    suggester, suggestions = _suggesting(threads, ahead=0, may=2)
    await suggestions.take(1)
    suggestions.learn(numbered(0))
    await suggestions.take(1)
    assert suggester.calls == [([], 0), ([0], 1)]


async def test_an_exhausted_suggester_is_asked_no_more_than_needed(threads: ThreadPoolExecutor) -> None:
    suggester = NumberedSuggester(last=2)
    suggestions = Suggestions(suggester, threads, ahead=lambda _: 3, asked=0)
    suggester.may.release(10)
    assert len(await suggestions.take(5)) == 2
    assert len(await suggestions.take(5)) == 0


class BrokenSuggester(NumberedSuggester):
    """Fails from its second call on."""

    def suggest(self, ended: Sequence[FrozenTrial], count: int, seconds: float) -> list[Suggestion]:
        if self.calls:
            raise ZeroDivisionError
        return super().suggest(ended, count, seconds)


async def test_what_failed_ahead_of_need_fails_when_it_is_needed(threads: ThreadPoolExecutor) -> None:
    suggester = BrokenSuggester()
    suggestions = Suggestions(suggester, threads, ahead=lambda _: 1, asked=0)
    suggester.may.release(1)
    await suggestions.take(1)
    with pytest.raises(ZeroDivisionError):
        await suggestions.take(1)


@pytest.mark.parametrize(
    ("sampler", "parallelism", "ahead"),
    [
        ("TPE", 1, 0),
        ("TPE", 4, 0),
        ("TPE", 5, 1),
        ("TPE", 100, 20),
        ("TPE", 1000, 20),
        ("GP", 10, 2),
        ("Random", 100, 0),
    ],
)
def test_a_fifth_of_what_runs_is_prepared_and_only_for_slow_samplers(
    sampler: str, parallelism: int, ahead: int
) -> None:
    spec = study_spec(search={"sampler": {"name": sampler}}).model_copy(update={"parallelism": parallelism})
    assert ahead_of(spec, 0, 500) == ahead


def test_tpe_is_asked_when_it_is_needed_as_long_as_it_takes_milliseconds() -> None:
    spec = study_spec(search={"sampler": {"name": "TPE"}}).model_copy(update={"parallelism": 100})
    assert [ahead_of(spec, 0, asked) for asked in (0, 6, 7)] == [0, 0, 20]
    assert ahead_of(spec, 7, 0) == 20, "what it knows of others takes as long"


async def test_what_is_prepared_is_no_trial(sqlite_world: DatabaseWorld) -> None:
    study = await _open(sqlite_world)
    await study.ask(7)
    await _until_ready(study._sampling.suggestions, 2)
    assert study.history().total == 7
    assert (await sqlite_world.reopen()).history().total == 7


@pytest.fixture(autouse=True)
def few_trials_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """TPE counts as slow from the seventh trial on, in all tests of studies."""
    monkeypatch.setitem(horizon.SLOW_FROM, SamplerName.TPE, 7)


async def _open(world: DatabaseWorld) -> StudyRepository:
    world.spec = study_spec(search={"sampler": TPE, "seed": 3}).model_copy(update={"parallelism": 10})
    return await world.open()


STORY: list[tuple[str, int]] = [
    ("ask", 6),
    *((("tell", 0), ("tell", 3), ("tell", 1), ("ask", 2), ("ask", 1), ("tell", 5), ("ask", 1))),
    *((("tell", 2), ("tell", 4), ("ask", 5), ("tell", 9), ("tell", 7), ("ask", 1), ("ask", 1), ("ask", 1))),
]
"""Two suggestions are prepared ahead, some asks need more."""


async def _play(world: DatabaseWorld, *, restart_before: int | None = None, patient: bool = False) -> list[Any]:
    """Return what is suggested in the story."""
    await world.repositories.delete_history((await world.open()).key)
    await world.restart()
    study, parameters = await _open(world), []
    for place, (what, number) in enumerate(STORY):
        if place == restart_before:
            study = await world.reopen()
        if patient and study.history().total >= 7:
            await _until_ready(study._sampling.suggestions, 2)
        if what == "ask":
            asked = await study.ask(number)
            while len(asked) < number:  # the machine is slow
                asked = [*asked, *await study.ask(number - len(asked))]
            parameters += [trial.parameters for trial in asked]
        else:
            await study.tell([outcome(number, 0.1 * number)])
    return parameters


async def test_how_soon_suggestions_are_prepared_and_a_restart_at_any_point_change_none(
    sqlite_world: DatabaseWorld,
) -> None:
    sqlite_world.spec = study_spec(search={"sampler": TPE, "seed": 3})
    expected = await _play(sqlite_world)
    assert await _play(sqlite_world, patient=True) == expected
    for place in range(1, len(STORY)):
        assert await _play(sqlite_world, restart_before=place) == expected, place


async def test_a_result_comes_into_sight_as_many_trials_later_as_are_prepared(sqlite_world: DatabaseWorld) -> None:
    async def suggested(told_before: int) -> list[Any]:
        """Ask for ten trials; another one's result comes before the one of this number."""
        await sqlite_world.repositories.delete_history((await sqlite_world.open()).key)
        await sqlite_world.restart()
        study = await _open(sqlite_world)
        await study.ask(6)
        await study.tell([outcome(number, 0.1 * number) for number in range(4)])
        parameters = []
        for number in range(6, 18):
            if number == told_before:
                await study.tell([outcome(5, 0.9)])
            parameters += [trial.parameters for trial in await study.ask(1)]
        return parameters

    early, late = await suggested(8), await suggested(11)
    assert early[:4] == late[:4]  # up to trial 9
    assert early[4] != late[4]


async def test_a_sampler_is_made_beside_the_event_loop_also_when_a_study_is_edited(
    sqlite_world: DatabaseWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ten thousand trials, or with the first import of a library, that takes up to seconds."""
    study = await sqlite_world.open()
    await study.ask(1)
    made_in: list[str] = []

    def make(past: Past) -> Asking:
        made_in.append(threading.current_thread().name)
        return Asking(past)

    monkeypatch.setattr(sampling, "Asking", make)
    await study.apply(study_spec(search={"sampler": TPE}))
    assert made_in
    assert threading.current_thread().name not in made_in


async def test_nothing_is_prepared_any_more_once_the_repositories_are_closed(sqlite_world: DatabaseWorld) -> None:
    """Else the threads that are gone are asked for another, and the log tells of it at each operator's end."""
    odd: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: odd.append(context))
    study = await _open(sqlite_world)
    study._sampling.suggestions._ahead = lambda _: 10_000
    await study.ask(6)
    under_way = study._sampling.suggestions._call
    assert under_way is not None
    await sqlite_world.repositories.aclose()
    await asyncio.wait([under_way])
    await asyncio.sleep(0)
    assert odd == []
