"""Asking the sampler: drafts of the next trials."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from datetime import datetime
from functools import partial

from optuna import Study
from optuna.trial import FrozenTrial

from tuning_contract.environment import ParameterValue
from tuning_operator.api.samplers import GridOptions, RandomOptions, Sampler, SamplerName
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.snapshot import EarlierAttempts
from tuning_operator.ports import NO_ATTEMPTS
from tuning_operator.search.attributes import ATTEMPT, EARLIER_ATTEMPTS, SEED, written
from tuning_operator.search.grid import Grid, is_finite
from tuning_operator.search.reverse_log import as_samplers_see
from tuning_operator.search.samplers import Circumstances, make_sampler
from tuning_operator.search.seeds import order_seed, reseed, training_seed
from tuning_operator.search.shuffle import Shuffle
from tuning_operator.search.space import Space
from tuning_operator.search.storage import MirroredStorage
from tuning_operator.search.study_record import StudyRecord
from tuning_operator.search.walk import Walk

_PATIENCE_SECONDS = 5.0
"""After so long the trials that a slow sampler has drafted are handed over; the others are asked for after them."""
_DRAWS = 100
"""How often a point is drawn that must be new; after that, one that is left is taken in a random order."""


class Asking:
    """Makes a study's next trials. One thread at a time uses it; the event loop never does.

    Raises
    ------
    InvalidStudy
        The sampler needs a library that is not installed, or a grid has no place for a parameter.
    """

    def __init__(
        self, study: Study, storage: MirroredStorage, space: Space, record: StudyRecord, spec: StudySpec
    ) -> None:
        search = spec.search
        self._storage = storage
        self._space = space
        self._study_id = record.study_id
        self.seed = record.seed if search.seed is None else search.seed
        """The study's seed."""
        self._enqueued = [space.stored(parameters) for parameters in search.enqueue]
        self._walk = _walk(search.sampler, space, order_seed(self.seed))
        self._draws = _DRAWS if search.sampler.name is SamplerName.RANDOM and self._walk is not None else 0
        unconditional = [parameter.name for parameter in space.parameters if parameter.when is None]
        circumstances = Circumstances(order_seed(self.seed), spec.parallelism, space.sampled, unconditional)
        self._sampler = make_sampler(search.sampler, circumstances)
        study.sampler = self._sampler
        self._study = as_samplers_see(study, storage, space.reversed)

    def size(self) -> int | None:
        """Return how many trials the search can have, enqueued ones included; None: endlessly many.

        Until the enqueued trials are asked for it is what remains at most. Not to be called while trials are drafted.
        """
        if self._walk is None:
            return None
        trials = self._storage.get_all_trials(self._study_id, deepcopy=False)
        self._walk.see(trials)
        return max(len(trials), len(self._enqueued)) + self._walk.left

    def draft(
        self, count: int, started_at: datetime, first_attempts: Mapping[int, int] = NO_ATTEMPTS
    ) -> list[FrozenTrial]:
        """Return drafts of the next trials, fewer when the space is exhausted or the sampler is slow.

        The caller adopts or drops them. The same seed and the same trials so far give the same drafts, whatever was
        asked in one call, and whichever process asks.
        """
        trials = self._storage.get_all_trials(self._study_id, deepcopy=False)
        first = len(trials)
        if self._walk is not None:
            self._walk.see(trials)
        patient_until = time.monotonic() + _PATIENCE_SECONDS
        with self._storage.drafting():
            for number in range(first, first + count):
                if not self._draft(number, first_attempts.get(number, 1)) or time.monotonic() > patient_until:
                    break
        drafts = self._storage.drafts(self._study_id)
        for draft in drafts:
            draft.datetime_start = started_at
        return drafts

    def _draft(self, number: int, first_attempt: int) -> bool:
        """Draft a trial; return whether there was a point for it."""
        given = self._given(number)
        if given is None:
            return False
        reseed(self._sampler, self.seed, number)
        if given:
            self._study.enqueue_trial(dict(given))
        trial = self._study.ask()
        with warnings.catch_warnings(
            action="ignore", category=UserWarning
        ):  # rounding in a fine step's values, to Optuna
            self._space.choose(trial._suggest)
        trial.set_user_attr(ATTEMPT, first_attempt)
        if first_attempt > 1:
            trial.set_user_attr(EARLIER_ATTEMPTS, written(EarlierAttempts(first=first_attempt)))
        trial.set_user_attr(SEED, training_seed(self.seed, number))
        if self._walk is not None:
            self._walk.draft(self._storage.get_trial(trial._trial_id))
        return True

    def _given(self, number: int) -> Mapping[str, ParameterValue] | None:
        """Return the parameters that are not the sampler's to choose; None: there is nothing left to try."""
        if number < len(self._enqueued):
            return self._enqueued[number]
        if self._walk is None:
            return {}
        return self._drawn(number, self._walk) or self._walk.next()

    def _drawn(self, number: int, walk: Walk) -> Mapping[str, ParameterValue] | None:
        """Return a new point as the sampler draws it; None: it drew none, or does not draw."""
        for draw in range(self._draws):
            reseed(self._sampler, self.seed, number, draw)
            # The sampler is a random one, which looks at no trial.
            sample = partial(self._sampler.sample_independent, self._study, None)  # type: ignore[arg-type]
            point = self._space.choose(sample)
            if walk.is_new(point):
                return point
        return None


def _walk(sampler: Sampler, space: Space, seed: int) -> Walk | None:
    """Return the way through the points of a sampler that tries each once; None: it goes where results lead it."""
    options = sampler.parsed_options()
    if isinstance(options, GridOptions):
        return Walk(Grid(space, options.points))
    in_random_order = sampler.name is SamplerName.BRUTE_FORCE or (isinstance(options, RandomOptions) and options.unique)
    if not in_random_order or not is_finite(space):
        return None
    grid = Grid(space)
    return Walk(grid, Shuffle(grid.size, seed))
