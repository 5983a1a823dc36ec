"""Asking the sampler: drafts of the next trials."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from optuna import Study
from optuna.trial import FrozenTrial

from tuning_contract.environment import ParameterValue
from tuning_operator.api.search import GridOptions, Search
from tuning_operator.decisions.snapshot import EarlierAttempts
from tuning_operator.ports import NO_ATTEMPTS
from tuning_operator.search.attributes import ATTEMPT, EARLIER_ATTEMPTS, SEED, written
from tuning_operator.search.grid import Grid
from tuning_operator.search.samplers import make_sampler
from tuning_operator.search.seeds import reseed, training_seed
from tuning_operator.search.space import Space
from tuning_operator.search.storage import MirroredStorage
from tuning_operator.search.study_record import StudyRecord


class Asking:
    """Makes a study's next trials. One thread at a time uses it; the event loop never does."""

    def __init__(
        self, study: Study, storage: MirroredStorage, space: Space, record: StudyRecord, search: Search
    ) -> None:
        self._storage = storage
        self._space = space
        self._study_id = record.study_id
        self._seed = record.seed if search.seed is None else search.seed
        self._enqueued = [space.stored(parameters) for parameters in search.enqueue]
        options = search.sampler.parsed_options()
        self._grid = Grid(space, options.points) if isinstance(options, GridOptions) else None
        self._sampler = make_sampler(search.sampler)
        self._study = study
        study.sampler = self._sampler

    @property
    def size(self) -> int | None:
        """How many trials the search can have, enqueued ones included; None: endlessly many."""
        return None if self._grid is None else len(self._enqueued) + len(self._grid)

    def draft(
        self, count: int, started_at: datetime, first_attempts: Mapping[int, int] = NO_ATTEMPTS
    ) -> list[FrozenTrial]:
        """Return drafts of the next trials, fewer when the space is exhausted; the caller adopts or drops them.

        The same seed and the same trials so far give the same drafts, whatever was asked in one call, and whichever
        process asks.
        """
        first = len(self._storage.get_all_trials(self._study_id, deepcopy=False))
        end = first + count if self.size is None else min(first + count, self.size)
        with self._storage.drafting():
            for number in range(first, end):
                self._draft(number, first_attempts.get(number, 1))
        drafts = self._storage.drafts(self._study_id)
        for draft in drafts:
            draft.datetime_start = started_at
        return drafts

    def _draft(self, number: int, first_attempt: int) -> None:
        reseed(self._sampler, self._seed, number)
        given = self._given(number)
        if given:
            self._study.enqueue_trial(dict(given))
        trial = self._study.ask(self._space.distributions)
        trial.set_user_attr(ATTEMPT, first_attempt)
        if first_attempt > 1:
            trial.set_user_attr(EARLIER_ATTEMPTS, written(EarlierAttempts(first=first_attempt)))
        trial.set_user_attr(SEED, training_seed(self._seed, number))

    def _given(self, number: int) -> Mapping[str, ParameterValue]:
        """Return the parameters that are not the sampler's to choose."""
        if number < len(self._enqueued):
            return self._enqueued[number]
        return {} if self._grid is None else self._grid.point(number - len(self._enqueued))
