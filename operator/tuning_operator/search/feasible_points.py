"""Points that meet a study's constraints, and how long to look for one."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from tuning_contract.environment import ParameterValue
from tuning_operator.api.constraints import Constraints
from tuning_operator.api.parameters import ParameterType
from tuning_operator.api.samplers import SamplerName
from tuning_operator.api.study import StudySpec
from tuning_operator.search.grid import Grid
from tuning_operator.search.reverse_log import reversed_value, reversed_values
from tuning_operator.search.seeds import feasible_seed
from tuning_operator.search.space import Space, rounded

_SAMPLER_DRAWS = {SamplerName.RANDOM: 1, SamplerName.QMC: 1_000, SamplerName.GP: 5, SamplerName.TPE: 20}
"""How often a sampler is asked for a trial's point; then it is drawn at random, which is much cheaper."""
_OTHER_DRAWS = 100
_RANDOM_DRAWS = 10_000
"""How many points are drawn at random for a trial; if none is feasible, there is no such trial."""
MOST_SKIPPED = 100_000
"""How many points of a grid are looked at in a row that constraints forbid; after them there is no further trial."""
_MOST_COUNTED = 2_000
"""How many points of a grid are looked at to count the feasible ones, 20 microseconds each."""
SAMPLE = 2_000
"""Random points that `feasible_share` looks at."""


class FeasiblePoints:
    """The points of a space that trials may have. What it finds follows from the seed, the same in each process."""

    def __init__(self, space: Space, constraints: Constraints, sampler: SamplerName) -> None:
        self._space = space
        self._constraints = constraints
        self.sampler_draws = _SAMPLER_DRAWS.get(sampler, _OTHER_DRAWS) if constraints else 1
        """How often the sampler may be asked for a trial's point."""
        self._violated: Counter[str] = Counter()

    @property
    def are_all(self) -> bool:
        """Whether there are no constraints."""
        return not self._constraints

    def has(self, point: Mapping[str, Any]) -> bool:
        """Return whether a trial may have a point, as Optuna stores it; where not, `why_none` counts why."""
        return not self.names_against(point)

    def names_against(self, point: Mapping[str, Any]) -> Collection[str]:
        """Return the parameters for whose values `has` refuses a point, and any other one that has them; none: it does
        not."""
        if self.are_all:
            return ()
        violated, names = self._violation(point)
        if violated:
            self._violated[violated] += 1
        else:
            self._violated.clear()
        return names

    def count_of(self, grid: Grid) -> int | None:
        """Return how many points of a grid a trial may have; None: too many would have to be looked at."""
        if self.are_all:
            return grid.size
        index = count = 0
        for _ in range(_MOST_COUNTED):
            if index == grid.size:
                return count
            _, names = self._violation(grid.point(index))
            count += not names
            index = grid.after(index, names) if names else index + 1
        return None

    def _violation(self, point: Mapping[str, Any]) -> tuple[str, Collection[str]]:
        return self._constraints.violation(self._space.typed(point))

    def may_have(self, part: Mapping[str, Any]) -> bool:
        """Return whether a trial may have some parameters, as samplers see them, as far as these alone say it."""
        stored = reversed_values(part, self._space.reversed)
        values: dict[str, ParameterValue] = {}
        for parameter in self._space.parameters:
            is_fixed = parameter.type is ParameterType.FIXED and parameter.is_active(values)
            if is_fixed or parameter.name in part:
                values[parameter.name] = self._space.value_of(parameter, stored)
        return not self._constraints.part_violates(values)

    def drawn(
        self,
        seed: int,
        given: Mapping[str, ParameterValue],
        is_new: Callable[[Mapping[str, Any]], bool] = lambda _: True,
        draws: int = _RANDOM_DRAWS,
    ) -> Mapping[str, Any] | None:
        """Return a new feasible point at random that has given values, as Optuna stores it; None: there was none."""
        draw = RandomPoints(self._space, seed)
        points = (draw.point(given) for _ in range(draws))
        return next((point for point in points if is_new(point) and self.has(point)), None)

    def why_none(self, enqueued: int | None = None) -> str:
        """Return why no feasible point has been found since the last one, and the way out.

        `enqueued` is the index of the enqueued trial whose values the points had; None: it is about none.
        """
        violated, count = self._violated.most_common(1)[0]
        total = self._violated.total()
        share = "all" if count == total else f"{count / total:.0%}"
        violate = f"{share} of them violate {violated}; relax it or"
        if enqueued is None:
            return f"none of {total:,} points in a row meets `constraints`: {violate} widen the parameters"
        missed = f"none of {total:,} points with its values does"
        return f"`search.enqueue[{enqueued}]` can't meet `constraints`: {missed}, {violate} change that trial"

    def why_not_enqueued(self, enqueued: Sequence[Mapping[str, ParameterValue]], seed: int) -> str | None:
        """Return why one of these trials can't be completed, as a sentence; None: all can be."""
        for index, given in enumerate(() if self.are_all else enqueued):
            if self.drawn(feasible_seed(seed, index), given) is None:
                return self.why_none(index)
        return None


class RandomPoints:
    """Draws points uniformly; Optuna's sampler takes fifty times as long."""

    def __init__(self, space: Space, seed: int) -> None:
        self._space = space
        self._random = random.Random(seed)

    def point(self, given: Mapping[str, ParameterValue]) -> dict[str, Any]:
        """Return a point as Optuna stores it, with those of the given values that it can have."""

        def suggest(name: str, distribution: BaseDistribution) -> Any:
            if name not in given:
                return self._value(distribution)
            backwards = self._space.reversed.get(name)
            return given[name] if backwards is None else reversed_value(backwards, given[name])

        # A given value on a reverse scale was turned round twice, which rounds it.
        return {name: given.get(name, value) for name, value in self._space.choose(suggest).items()}

    def _value(self, distribution: BaseDistribution) -> Any:
        match distribution:
            case CategoricalDistribution(choices=choices):
                return self._random.choice(choices)
            case IntDistribution(low=low, high=high, log=True):
                drawn = math.exp(self._random.uniform(math.log(low - 0.5), math.log(high + 0.5)))
                return min(max(round(drawn), low), high)
            case FloatDistribution(low=low, high=high, log=True):
                return min(max(math.exp(self._random.uniform(math.log(low), math.log(high))), low), high)
            case FloatDistribution(low=low, high=high, step=None):
                return self._random.uniform(low, high)
            case IntDistribution(low=low, high=high, step=step):
                return self._random.randrange(low, high + 1, step)
            case FloatDistribution(low=low, high=high, step=float(step)):
                return rounded(low + self._random.randrange(round((high - low) / step) + 1) * step, low, step)
        raise AssertionError(f"unknown distribution {distribution}")


def feasible_share(spec: StudySpec, seed: int = 0) -> float:
    """Return which share of random points a study's constraints allow, from a sample."""
    space = Space(spec.parameters)
    constraints, points = Constraints(spec.constraints, spec.parameters), RandomPoints(space, seed)
    return sum(not constraints.why_violated(space.typed(points.point({}))) for _ in range(SAMPLE)) / SAMPLE
