"""The mirror: a storage for Optuna that reads from memory and writes through to the database."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from optuna._typing import JSONSerializable
from optuna.distributions import BaseDistribution
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from tuning_operator.search.database import Database
from tuning_operator.search.deletion import delete_part
from tuning_operator.search.loading import load_study
from tuning_operator.search.trial_rows import insert_trials


class MirroredStorage(InMemoryStorage):
    """Optuna's memory storage as a mirror of the database, of whose studies nobody else may be a writer.

    What Optuna itself calls goes to its database storage first and then to memory, so that an error leaves memory as
    it was. That is slow and rare. The repository writes new trials, reports and ends with few statements of its own and
    then calls `append`, `note` and `replace`, which change memory only.
    """

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database

    def load(self, study_id: int) -> None:
        """Read a study into memory; `KeyError` when there is none."""
        with self._database.reading() as connection:
            loaded = load_study(connection, study_id)
        with self._lock:
            self._max_study_id = study_id - 1
            super().create_new_study(loaded.directions, loaded.name)
            self._studies[study_id].user_attrs = loaded.user_attrs
            self._studies[study_id].system_attrs = loaded.system_attrs
            self.append(study_id, loaded.trials)

    def append(self, study_id: int, trials: Sequence[FrozenTrial]) -> None:
        """Take trials that are in the database already."""
        with self._lock:
            study = self._studies[study_id]
            for trial in trials:
                self._trial_id_to_study_id_and_number[trial._trial_id] = (study_id, len(study.trials))
                study.trials.append(trial)
                study.param_distribution.update(trial.distributions)
                self._update_cache(trial._trial_id, study_id)

    def note(self, study_id: int, system_attrs: Mapping[str, Any]) -> None:
        """Take system attributes of a study that are in the database already."""
        with self._lock:
            study = self._studies[study_id]
            study.system_attrs = {**study.system_attrs, **system_attrs}

    def replace(self, trial_id: int, **fields: Any) -> FrozenTrial:
        """Change a trial in memory after the database was changed; who holds the old object keeps it as it was."""
        with self._lock:
            study_id, _ = self._trial_id_to_study_id_and_number[trial_id]
            trial = copy.copy(self._get_trial(trial_id))
            for name, value in fields.items():
                setattr(trial, name, value)
            self._set_trial(trial_id, trial)
            self._update_cache(trial_id, study_id)
            return trial

    def add_user_attrs(self, trial_id: int, attrs: Mapping[str, Any]) -> None:
        """Take user attributes of a trial into memory after they were written to the database."""
        self.replace(trial_id, user_attrs={**self.get_trial(trial_id).user_attrs, **attrs})

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        with self._database.through_optuna() as optuna, self._lock:
            study_id = optuna.create_new_study(directions, study_name)
            self._max_study_id = study_id - 1
            return super().create_new_study(directions, optuna.get_study_name_from_id(study_id))

    def delete_study(self, study_id: int) -> None:
        self._check_study_id(study_id)
        with self._database.transaction() as connection:
            while delete_part(connection, study_id):
                pass
        super().delete_study(study_id)

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        with self._database.through_optuna() as optuna:
            optuna.set_study_user_attr(study_id, key, value)
        super().set_study_user_attr(study_id, key, value)

    def set_study_system_attr(self, study_id: int, key: str, value: JSONSerializable) -> None:
        with self._database.through_optuna() as optuna:
            optuna.set_study_system_attr(study_id, key, value)
        super().set_study_system_attr(study_id, key, value)

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        with self._lock:
            self._check_study_id(study_id)
            trials = self._studies[study_id].trials
            trial = copy.copy(template_trial or self._create_running_trial())
            trial.number = len(trials)
            last_id = trials[-1]._trial_id if trials else -1
            with self._database.transaction() as connection:
                (trial_id,) = insert_trials(connection, study_id, last_id, [trial])
            self._max_trial_id = trial_id - 1
            return super().create_new_trial(study_id, trial)

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        with self._database.through_optuna() as optuna:
            optuna.set_trial_param(trial_id, param_name, param_value_internal, distribution)
        super().set_trial_param(trial_id, param_name, param_value_internal, distribution)

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        with self._database.through_optuna() as optuna:
            if not optuna.set_trial_state_values(trial_id, state, values):
                return False
        return super().set_trial_state_values(trial_id, state, values)

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        with self._database.through_optuna() as optuna:
            optuna.set_trial_intermediate_value(trial_id, step, intermediate_value)
        super().set_trial_intermediate_value(trial_id, step, intermediate_value)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        with self._database.through_optuna() as optuna:
            optuna.set_trial_user_attr(trial_id, key, value)
        super().set_trial_user_attr(trial_id, key, value)

    def set_trial_system_attr(self, trial_id: int, key: str, value: JSONSerializable) -> None:
        with self._database.through_optuna() as optuna:
            optuna.set_trial_system_attr(trial_id, key, value)
        super().set_trial_system_attr(trial_id, key, value)
