"""A study's trials as events in simulated time."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from benchmarks.search.best import nothing_yet
from benchmarks.search.functions import Function, Point
from benchmarks.search.training import START_SECONDS, Training, train
from tests.fakes import FakeClock

Values = tuple[float, ...]
"""Of each objective."""


@dataclass(frozen=True)
class Proposal:
    """A trial that starts now."""

    number: int
    parameters: Point
    parent: int | None = None
    """The trial whose training it continues; None: it begins with the first epoch."""
    budget: int | None = None
    """Its last epoch, those of its ancestors counted; None: the last there is."""


class Searcher(Protocol):
    """Whoever proposes trials and hears how they go. It fills its slots by itself."""

    clock: FakeClock
    """The time that it sees."""

    async def begin(self) -> Sequence[Proposal]:
        """Return the trials that start first."""

    async def report(self, number: int, epoch: int, values: Values) -> bool:
        """Take the values of a trial that goes on; return whether it shall stop."""

    async def end(self, number: int, epoch: int, values: Values, pruned: bool) -> Sequence[Proposal]:
        """Take a trial's end with its last values; return the trials that start now. A pruned one has reported it."""


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


async def simulate(searcher: Searcher, function: Function, seed: int, with_curves: bool) -> Course:
    """Run a study's trials to their end. A slot that becomes free is filled in the same moment."""
    running = _Running(function, seed, with_curves)
    course, best, begun_at = Course([]), nothing_yet(function), searcher.clock.now()
    running.start(await searcher.begin(), 0.0)
    while running.events:
        due, number, epoch = running.next_event()
        searcher.clock.advance(begun_at + due - searcher.clock.now())
        training = running.trainings[number][0]
        values, is_last = training.values[epoch - 1], epoch == running.last_epochs[number]
        stop = False if is_last else await searcher.report(number, epoch, values)
        if not is_last and not stop:
            running.wait_for(number, epoch + 1)
            continue
        course.ended, course.seconds = course.ended + 1, due
        course.pruned += stop
        course.gpu_seconds += due - running.started_at[number]
        regret = None if stop else best.take(running.points[number], values)
        if regret is not None:
            course.improvements.append((course.ended, due, regret))
        running.start(await searcher.end(number, epoch, values, stop), due)
    return course


class _Running:
    """The trials that run, and what each does next."""

    def __init__(self, function: Function, seed: int, with_curves: bool) -> None:
        self.events: list[tuple[float, int, int]] = []
        """A heap of (seconds since the start, trial, epoch)."""
        self.trainings: dict[int, tuple[Training, float]] = {}
        """With the time at which they would have begun to come so far without a break."""
        self.points: dict[int, Point] = {}
        self.started_at: dict[int, float] = {}
        self.last_epochs: dict[int, int] = {}
        self._first_ancestors: dict[int, int] = {}
        self._circumstances = function, seed, with_curves

    def start(self, proposals: Sequence[Proposal], now: float) -> None:
        """Let trials begin, or go on where another one ended."""
        function, seed, with_curves = self._circumstances
        for proposal in proposals:
            number, parent = proposal.number, proposal.parent
            first = number if parent is None else self._first_ancestors[parent]
            done = 0 if parent is None else self.last_epochs[parent]
            training = train(function, proposal.parameters, seed, first, with_curves)
            self.points[number], self._first_ancestors[number] = proposal.parameters, first
            self.started_at[number] = now
            self.last_epochs[number] = proposal.budget or len(training.values)
            self.trainings[number] = training, now - done * training.epoch_seconds
            self.wait_for(number, done + 1)

    def wait_for(self, number: int, epoch: int) -> None:
        """Let a trial go on to the end of an epoch."""
        training, began_at = self.trainings[number]
        heapq.heappush(self.events, (began_at + START_SECONDS + epoch * training.epoch_seconds, number, epoch))

    def next_event(self) -> tuple[float, int, int]:
        """Take the event that comes first; of two at the same moment, that of the smaller number."""
        return heapq.heappop(self.events)
