"""Asking without a database: trials stay in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import optuna
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from tuning_contract.environment import ParameterValue
from tuning_operator.api.study import StudySpec
from tuning_operator.search.asking import Asking
from tuning_operator.search.database import Database
from tuning_operator.search.space import Space
from tuning_operator.search.storage import MirroredStorage
from tuning_operator.search.study_record import StudyRecord

STARTED_AT = datetime(2027, 1, 15, 8)  # noqa: DTZ001 - Optuna's trials have naive local time


class Drafting:
    """A study whose drafts are adopted at once."""

    def __init__(self, spec: StudySpec) -> None:
        self._storage = MirroredStorage(Database("sqlite:///never-opened.db"))
        self._study_id = InMemoryStorage.create_new_study(self._storage, [StudyDirection.MAXIMIZE], "study")
        self._space = Space(spec.parameters)
        self._spec = spec
        self.restart()

    def restart(self) -> None:
        """Ask from now on as a new process does, which knows only the trials."""
        self.study = optuna.load_study(study_name="study", storage=self._storage)
        record = StudyRecord(self._study_id, 11, self._spec.objective, tuple(self._spec.parameters), "uid")
        self.asking = Asking(self.study, self._storage, self._space, record, self._spec)

    def ask(self, count: int) -> list[Mapping[str, ParameterValue]]:
        """Return the next trials' parameters as their trainers get them."""
        known = len(self.study.trials)
        self.asking.draft(count, STARTED_AT)
        drafts = self._storage.drafts(self._study_id)
        adopted = self._storage.adopt(self._study_id, range(known, known + len(drafts)))
        return [self._space.typed(trial.params) for trial in adopted]

    def tell(self, values: Sequence[float | None]) -> None:
        """Complete the oldest open trials with these values; without one, a trial fails."""
        for trial, value in zip(self._open(), values, strict=False):
            self.tell_trial(trial.number, value, TrialState.FAIL if value is None else TrialState.COMPLETE)

    def tell_trial(self, number: int, value: float | None, state: TrialState = TrialState.COMPLETE) -> None:
        """End a trial, which reported its value at step 1."""
        self._storage.replace(
            self.study.get_trials(deepcopy=False)[number]._trial_id,
            state=state,
            values=None if value is None or state is TrialState.FAIL else [value],
            intermediate_values={} if value is None else {1: value},
            datetime_complete=STARTED_AT,
        )

    def _open(self) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
