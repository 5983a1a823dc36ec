"""What a strategy will do when no trial fails: its rounds of trials, and how far each trains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tuning_operator.api.model import ResourceModel
from tuning_operator.api.strategies import MIHAOptions, PopulationBasedTrainingOptions, SynchronousHyperbandOptions


@dataclass(frozen=True)
class Round:
    """Trials that train equally far."""

    trials: int
    steps: int
    """The last step of each, those of its ancestors counted."""


@dataclass(frozen=True)
class Schedule:
    """Rows of rounds; within a row, each round goes on from checkpoints of the one before."""

    rows: Sequence[Sequence[Round]]
    times: int = 1
    """How often all rows are run, one time after the other."""
    rest: Sequence[Sequence[Round]] = ()
    """Rows that are run once after them, where the trials end in the middle of the plan."""

    def cut(self, most: int) -> Schedule:
        """Return what is done of it in the order of the rows when there are no more trials than that."""
        once = Schedule(self.rows).trials
        times, left = divmod(min(most, self.trials), once)
        rest = []
        for row in self.rows:
            kept = []
            for each in row:
                kept.append(replace(each, trials=min(each.trials, left)))
                left -= kept[-1].trials
            rest.append([each for each in kept if each.trials])
        rest = [row for row in rest if row]
        return Schedule(self.rows, times, rest) if times else Schedule(rest)

    @property
    def trials(self) -> int:
        """Trials in all."""
        return self._sum(lambda row: sum(each.trials for each in row))

    @property
    def configurations(self) -> int:
        """Those of them that begin with new parameters: the first ones of each row."""
        return self._sum(lambda row: row[0].trials)

    @property
    def steps(self) -> int:
        """Steps that are trained in all trials together."""
        return self._sum(_steps_of)

    def _sum(self, of: Callable[[Sequence[Round]], int]) -> int:
        return self.times * sum(map(of, self.rows)) + sum(map(of, self.rest))


def schedule_of(options: ResourceModel) -> Schedule | None:
    """Return what the options of a sampler lay down; None: trials come as results lead to them."""
    make = _SCHEDULES.get(type(options))
    return None if make is None else make(options)


def brackets(options: SynchronousHyperbandOptions) -> list[list[Round]]:
    """Return the rungs of each bracket of one iteration, the most merciless bracket first.

    With R and r the largest and smallest resource and the factor eta, bracket s (from floor(log_eta(R/r)) down to 0)
    has s + 1 rungs: rung i has ceil(N / (s+1) * eta^(s-i)) trials up to step ceil(R / eta^(s-i)), with
    N = ceil(1 + log_eta(R/r)). That is Hyperband (Li et al., 2018) as Keras Tuner rounds it. In whole numbers, for
    logarithms miss exact powers.
    """
    largest, factor = options.max_resource, options.reduction_factor
    deepest = 0
    while options.min_resource * factor ** (deepest + 1) <= largest:
        deepest += 1
    is_exact = options.min_resource * factor**deepest == largest
    most = deepest + (1 if is_exact else 2)

    def rung(s: int, i: int) -> Round:
        power = factor ** (s - i)
        return Round(trials=_ceil(most * power, s + 1), steps=_ceil(largest, power))

    return [[rung(s, i) for i in range(s + 1)] for s in reversed(range(deepest + 1))]


def _hyperband(options: SynchronousHyperbandOptions) -> Schedule:
    return Schedule(brackets(options), options.iterations)


def _generations(options: PopulationBasedTrainingOptions) -> Schedule:
    return Schedule([[Round(options.population_size, options.interval * (g + 1)) for g in range(options.generations)]])


def _cycles(options: MIHAOptions) -> Schedule:
    """A run-up, in each cycle the individuals and the net that is chosen, and the end."""
    runup, individual, fixing = options.runup_epochs, options.epochs_per_individual, options.fixing_epochs
    rounds, done = [Round(1, runup)], runup
    for _ in range(options.cycles):
        rounds += [Round(options.population_size, done + individual), Round(1, done + individual + fixing)]
        done += individual + fixing
    return Schedule([[*rounds, Round(1, done + runup)]])


_SCHEDULES: dict[type[ResourceModel], Callable[[Any], Schedule]] = {
    SynchronousHyperbandOptions: _hyperband,
    PopulationBasedTrainingOptions: _generations,
    MIHAOptions: _cycles,
}


def _steps_of(row: Sequence[Round]) -> int:
    before = [0, *(each.steps for each in row)]
    return sum(each.trials * (each.steps - earlier) for each, earlier in zip(row, before, strict=False))


def _ceil(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
