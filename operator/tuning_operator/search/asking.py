"""Asking the sampler: what the next trials try."""

from __future__ import annotations

import heapq
import time
import warnings
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from tuning_contract.environment import ParameterValue
from tuning_operator.api.constraints import Constraints
from tuning_operator.api.samplers import GridOptions, RandomOptions, Sampler, SamplerName
from tuning_operator.decisions.schedule import schedule_of
from tuning_operator.search.feasible_points import FeasiblePoints
from tuning_operator.search.genetic import as_first_generation
from tuning_operator.search.grid import Grid, endless
from tuning_operator.search.horizon import first_to_see
from tuning_operator.search.naming import JOINTLY, Wanted, check_same_kind, choose
from tuning_operator.search.proposing import Descent, Proposing
from tuning_operator.search.reverse_log import backwards, reversed_values
from tuning_operator.search.sampler_failures import failures_named
from tuning_operator.search.samplers import Circumstances, NumberedQMC, make_sampler
from tuning_operator.search.seeds import feasible_seed, order_seed, reseed, reseed_for
from tuning_operator.search.seen_trials import SeenTrials
from tuning_operator.search.shuffle import Shuffle
from tuning_operator.search.space import Space
from tuning_operator.search.strategies import make_strategy, sampler_of
from tuning_operator.search.suggester import Past, Suggestion
from tuning_operator.search.walk import Walk

_DRAWS = 100
"""How often a point is drawn that must be new; after that, one that is left is taken in a random order."""


class Asking:
    """Implements `Suggester` with one of Optuna's samplers.

    Raises
    ------
    InvalidStudy
        The sampler needs a library that is not installed, or a grid has no place for a parameter.
    SearchFailed
        The sampler has a defect.
    """

    def __init__(self, past: Past) -> None:
        self._name = past.spec.search.sampler.name
        with failures_named(self._name):
            self._begin(past)

    def _begin(self, past: Past) -> None:
        spec, self._seed, self._warm = past.spec, past.seed, len(past.warm)
        search, self._spec = spec.search, spec
        self._space = Space(spec.parameters)
        self._enqueued = [self._space.stored(parameters) for parameters in search.enqueue]
        constraints = Constraints(spec.constraints, spec.parameters)
        self._feasible = FeasiblePoints(self._space, constraints, search.sampler.name)
        self._walk = _walk(search.sampler, self._space, self._feasible, order_seed(self._seed))
        self._no_point: str | None = None
        """Why there is no point for the next trial, as a sentence; empty: all were tried. None: there may be one."""
        self._draws = _DRAWS if search.sampler.name is SamplerName.RANDOM and self._walk is not None else 0
        unconditional = [parameter.name for parameter in self._space.parameters if parameter.when is None]
        circumstances = Circumstances(
            order_seed(self._seed),
            spec.parallelism,
            self._space.sampled,
            unconditional,
            len(spec.objectives),
            [backwards(trial, self._space.reversed) for trial in past.warm],
            self._feasible.may_have if constraints else None,
        )
        self._sampler = make_sampler(sampler_of(search.sampler), circumstances)
        strategy, direction = make_strategy(search.sampler, self._space), spec.objective.direction
        self._schedule = schedule_of(search.sampler.parsed_options())
        self._proposing = None if strategy is None else Proposing(strategy, self._enqueued, direction, self._seed)
        warm = [as_first_generation(trial, self._sampler) for trial in past.warm]
        self._seen = SeenTrials(
            past.name, past.directions, past.notes, self._space.reversed, warm, spec.metric_constraints
        )
        self._study = optuna.load_study(study_name=past.name, storage=self._seen, sampler=self._sampler)
        self._unseen: list[tuple[int, int, FrozenTrial]] = []
        """Trials that have ended, by the first one that may know of it, and their own numbers: a heap."""
        for trial in past.trials:
            self._remember(trial, before=len(past.trials))
        self._to_complete: list[int] = []
        """Numbers of the enqueued trials that take a new point of the walk, for the values that they leave out."""
        if self._walk is not None:
            self._reserve_enqueued(self._walk, len(past.trials))

    def _reserve_enqueued(self, walk: Walk, begun: int) -> None:
        for number, enqueued in enumerate(self._enqueued):
            if self._space.is_whole(enqueued):
                if number >= begun:
                    walk.add(enqueued)
            elif walk.has_part(enqueued):
                self._to_complete.append(number)

    def _remember(self, trial: FrozenTrial, before: int) -> None:
        unseen = trial.state.is_finished() and self._first_to_see(trial) > before
        self._seen.add(trial, as_running=unseen)
        if self._proposing is not None:
            self._proposing.add(trial, as_running=unseen)
        if unseen:
            self._learn(trial)
        if self._walk is not None:
            self._walk.add(trial.params)

    def _learn(self, ended: FrozenTrial) -> None:
        heapq.heappush(self._unseen, (self._first_to_see(ended), ended.number, ended))

    def _first_to_see(self, ended: FrozenTrial) -> int:
        return first_to_see(ended, self._spec, self._warm)

    def size(self) -> int | None:
        if self._no_point is not None:
            return self._seen.count
        if self._proposing is not None:
            return self._seen.count if self._proposing.is_finished(anew=self._may_be_finished()) else None
        if self._walk is None or self._walk.left is None:
            return None
        coming = len(self._to_complete) - bisect_left(self._to_complete, self._seen.count)
        return max(self._seen.count, len(self._enqueued)) + max(0, self._walk.left - coming)

    def _may_be_finished(self) -> bool:
        """Return whether there are as many trials as the strategy plans, so that nobody may ask it for another one."""
        return self._schedule is not None and self._seen.count >= self._schedule.trials

    def why_none(self) -> str:
        return self._no_point or ""

    def suggest(self, ended: Sequence[FrozenTrial], count: int, seconds: float) -> list[Suggestion]:
        for trial in ended:
            self._learn(trial)
        suggestions: list[Suggestion] = []
        until = time.monotonic() + seconds
        while len(suggestions) < count and not (suggestions and time.monotonic() > until):
            with failures_named(self._name):
                suggestion = self._next()
            if suggestion is None:
                break
            suggestions.append(suggestion)
        return suggestions

    def choose(self, ended: Sequence[FrozenTrial], wanted: Wanted) -> Any:
        for trial in ended:
            self._learn(trial)
        with failures_named(self._name):
            return self._chosen(wanted)

    def _chosen(self, wanted: Wanted) -> Any:
        self._see(before=self._seen.count)
        if (known := self._seen.distribution(wanted.name)) is not None:
            check_same_kind(wanted, known)
        reseed_for(self._sampler, self._seed, wanted.number, wanted.name)
        self._study._thread_local.cached_all_trials = None  # as `ask` does; it is of this thread's last ask
        value = choose(wanted, self._seen.own(wanted.number), self._study, self._sampler)
        self._seen.name(wanted.number, wanted.name, value, wanted.distribution)
        return value

    def _next(self) -> Suggestion | None:
        """Suggest a trial; None: there is nothing to try, or not yet."""
        if self._no_point is not None:
            return None
        number = self._seen.count
        if number == 0:  # before anything is paid for, and the study can still be corrected
            self._no_point = self._feasible.why_not_enqueued(self._enqueued, self._seed)
            if self._no_point is not None:
                return None
        self._see(before=number)
        descent = self._descent(number)
        if descent is None:
            return None
        trial = self._made(number, descent)
        if trial is None:
            return None
        if self._proposing is not None:
            self._proposing.add(trial)
        if self._walk is not None:
            self._walk.add(trial.params)
        return Suggestion(trial, self._seen.new_notes())

    def _made(self, number: int, descent: Descent) -> FrozenTrial | None:
        """Make a trial whose point is feasible; None: there is no such point."""
        for draw in range(self._feasible.sampler_draws):
            if draw and self._proposing is not None:
                descent = self._proposing.next(draw) or descent
            trial = self._ask(number, descent, draw)
            if self._feasible.has(trial.params):
                return trial
            self._seen.drop()
        descent = descent.otherwise or descent
        point = self._feasible.drawn(feasible_seed(self._seed, number), descent.given)
        if point is not None:
            return self._ask(number, replace(descent, given={**self._space.undeclared(descent.given), **point}))
        self._no_point = self._feasible.why_none(descent.enqueued)
        return None

    def _ask(self, number: int, descent: Descent, draw: int = 0) -> FrozenTrial:
        reseed(self._sampler, self._seed, number, draw)
        if isinstance(self._sampler, NumberedQMC):
            self._sampler.draw = draw
        if descent.given:
            self._study.enqueue_trial(reversed_values(descent.given, self._space.reversed))
        asked = self._study.ask()
        with warnings.catch_warnings(
            action="ignore", category=UserWarning
        ):  # rounding in a fine step's values, to Optuna
            self._space.choose(asked._suggest)
        for name, value in descent.attributes.items():
            asked.set_user_attr(name, value)
        if self._spec.define_by_run and (jointly := self._space.undeclared(asked.relative_params or {})):
            self._seen.set_trial_system_attr(asked._trial_id, JOINTLY, jointly)
        return self._seen.made(number, descent.given)

    def _see(self, before: int) -> None:
        """Let the results come into sight that the trial of a number may know of."""
        while self._unseen and self._unseen[0][0] <= before:
            trial = heapq.heappop(self._unseen)[-1]
            self._seen.tell(trial)
            if self._proposing is not None:
                self._proposing.tell(trial)

    def _descent(self, number: int) -> Descent | None:
        """Return what of a trial is not the sampler's to choose; None: there is nothing to try, or not yet."""
        if self._proposing is not None:
            return self._proposing.next()
        if number < len(self._enqueued):
            enqueued = self._enqueued[number]
            return Descent(self._completed(number, enqueued) or enqueued, enqueued=number)
        return Descent({}) if self._walk is None else self._new_point(number, self._walk)

    def _completed(self, number: int, given: Mapping[str, ParameterValue]) -> Mapping[str, Any] | None:
        """Return a new point with given values; None: they are a point already, or none was found."""
        if self._walk is None or self._space.is_whole(given):
            return None
        near = partial(self._walk.next_with, given)
        drawn = partial(self._feasible.drawn, feasible_seed(self._seed, number), given, self._walk.is_new, _DRAWS)
        return drawn() or near() if self._draws else near() or drawn()

    def _new_point(self, number: int, walk: Walk) -> Descent | None:
        """Return a point that no trial has; None: there is nothing left to try."""
        point = self._drawn(number, walk)
        if point is None and (following := walk.next()) is not None:
            # With other values of what is endless it is a new one each time.
            part = {name: value for name, value in following.items() if name not in walk.endless}
            return Descent(part, otherwise=Descent(following))
        if point is None and walk.endless:
            point = self._feasible.drawn(feasible_seed(self._seed, number), {}, walk.is_new)
        if point is None:
            # A way to whose end no trial was found was no search that is over.
            self._no_point = "" if number and walk.is_at_its_end else self._feasible.why_none()
            return None
        return Descent(point)

    def _drawn(self, number: int, walk: Walk) -> Mapping[str, ParameterValue] | None:
        """Return a new point as the sampler draws it; None: it drew none, or does not draw."""
        for draw in range(self._draws):
            reseed(self._sampler, self._seed, number, draw)
            # The sampler is a random one, which looks at no trial.
            sample = partial(self._sampler.sample_independent, self._study, None)  # type: ignore[arg-type]
            point = self._space.choose(sample)
            if walk.is_new(point) and self._feasible.has(point):
                return point
        return None


def _walk(sampler: Sampler, space: Space, feasible: FeasiblePoints, seed: int) -> Walk | None:
    """Return the way through the points of a sampler that tries each once; None: it goes where results lead it."""
    options = sampler.parsed_options()
    if isinstance(options, GridOptions):
        return Walk(Grid(space, options.points), feasible)
    in_random_order = sampler.name is SamplerName.BRUTE_FORCE or (isinstance(options, RandomOptions) and options.unique)
    if not in_random_order:
        return None
    grid = Grid(space)
    return Walk(grid, feasible, Shuffle(grid.size, seed), endless(space))
