"""A study's trials as events in simulated time."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from benchmarks.search.best import nothing_yet
from benchmarks.search.functions import Function, Point
from benchmarks.search.training import START_SECONDS, Reporting, Training, train
from tests.fakes import FakeClock

Values = tuple[float, ...]
"""Of each objective."""


@dataclass(frozen=True)
class Proposal:
    """A trial that starts now."""

    number: int
    parameters: Point
    parent: int | None = None
    """The trial whose training it continues; None: it begins with the first step."""
    budget: int | None = None
    """Its last step, those of its ancestors counted; None: the last there is."""


class Searcher(Protocol):
    """Whoever proposes trials and hears how they go. It fills its slots by itself."""

    clock: FakeClock
    """The time that it sees."""

    async def begin(self) -> Sequence[Proposal]:
        """Return the trials that start first."""

    async def report(self, number: int, step: int, values: Values) -> bool:
        """Take the values of a trial that goes on; return whether it shall stop."""

    async def end(self, number: int, step: int, values: Values, result: Values | None) -> Sequence[Proposal]:
        """Take a trial's end with the values of its last step, and return the trials that start now. Without a result
        it was stopped, and has reported them."""


@dataclass
class Course:
    """What became of a study."""

    improvements: list[tuple[int, float, float]]
    """As `Result` has them."""
    ended: int = 0
    pruned: int = 0
    seconds: float = 0.0
    """From the start to the end of the last trial."""
    gpu_seconds: float = 0.0
    """Of all trials together."""


async def simulate(searcher: Searcher, function: Function, seed: int, reporting: Reporting) -> Course:
    """Run a study's trials to their end. A slot that becomes free is filled in the same moment."""
    running = _Running(function, seed, reporting)
    course, best, begun_at = Course([]), nothing_yet(function), searcher.clock.now()
    running.start(await searcher.begin(), 0.0)
    while running.events:
        due, number, step = running.next_event()
        searcher.clock.advance(begun_at + due - searcher.clock.now())
        training = running.trainings[number][0]
        values, is_last = training.values[step - 1], step == running.last_steps[number]
        stop = False if is_last else await searcher.report(number, step, values)
        if not is_last and not stop:
            running.wait_for(number, step + 1)
            continue
        # A trial that others go on from ends with what it reported last.
        result = None if stop else training.result if step == len(training.values) else values
        course.ended, course.seconds = course.ended + 1, due
        course.pruned += stop
        course.gpu_seconds += due - running.started_at[number]
        regret = None if result is None else best.take(running.points[number], result)
        if regret is not None:
            course.improvements.append((course.ended, due, regret))
        running.start(await searcher.end(number, step, values, result), due)
    return course


class _Running:
    """The trials that run, and what each does next."""

    def __init__(self, function: Function, seed: int, reporting: Reporting) -> None:
        self.events: list[tuple[float, int, int]] = []
        """A heap of (seconds since the start, trial, step)."""
        self.trainings: dict[int, tuple[Training, float]] = {}
        """With the time at which they would have begun to come so far without a break."""
        self.points: dict[int, Point] = {}
        self.started_at: dict[int, float] = {}
        self.last_steps: dict[int, int] = {}
        self._first_ancestors: dict[int, int] = {}
        self._circumstances = function, seed, reporting

    def start(self, proposals: Sequence[Proposal], now: float) -> None:
        """Let trials begin, or go on where another one ended."""
        function, seed, reporting = self._circumstances
        for proposal in proposals:
            number, parent = proposal.number, proposal.parent
            first = number if parent is None else self._first_ancestors[parent]
            done = 0 if parent is None else self.last_steps[parent]
            training = train(function, proposal.parameters, seed, first, reporting)
            self.points[number], self._first_ancestors[number] = proposal.parameters, first
            self.started_at[number] = now
            self.last_steps[number] = proposal.budget or len(training.values)
            self.trainings[number] = training, now - done * training.step_seconds
            self.wait_for(number, done + 1)

    def wait_for(self, number: int, step: int) -> None:
        """Let a trial go on to a step."""
        training, began_at = self.trainings[number]
        heapq.heappush(self.events, (began_at + START_SECONDS + step * training.step_seconds, number, step))

    def next_event(self) -> tuple[float, int, int]:
        """Take the event that comes first; of two at the same moment, that of the smaller number."""
        return heapq.heappop(self.events)
