"""Reverse logarithmic scales, which Optuna does not have: samplers see a logarithmic scale that runs backwards.

What is stored is what the trial gets, from an ordinary range, so that dashboards and notebooks show the user's values.
"""

from __future__ import annotations

import copy
from collections.abc import Container, Mapping
from typing import Any, cast

from optuna import Study
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from tuning_operator.search.storage import MirroredStorage

ReversedRange = FloatDistribution | IntDistribution

_FIXED = "fixed_params"
"""Optuna's name of the attribute with what an enqueued trial was given."""


def reversed_value(of: ReversedRange, value: Any) -> Any:
    """Return the value as far below `high` as this one is above `low`: what users see <-> what samplers see."""
    if value in (of.low, of.high):  # floats must not miss the ends by a rounding error
        return of.low if value == of.high else of.high
    return min(max(of.low + of.high - value, of.low), of.high)


def ordinary(range_: ReversedRange, *, log: bool) -> ReversedRange:
    """Return an ordinary range with the same bounds: with `log` what samplers see, without it what is stored."""
    if isinstance(range_, IntDistribution):
        return IntDistribution(range_.low, range_.high, log=log)
    return FloatDistribution(range_.low, range_.high, log=log)


def as_samplers_see(study: Study, storage: MirroredStorage, ranges: Mapping[str, ReversedRange]) -> Study:
    """Return the study to ask; `ranges` are the logarithmic ones that run backwards, by parameter."""
    if not ranges:
        return study
    view = copy.copy(study)
    view._storage = cast(BaseStorage, _SamplersView(storage, ranges))
    return view


class _SamplersView:
    """A study's storage in which some parameters run backwards; whatever else is asked of it, the storage answers."""

    def __init__(self, storage: MirroredStorage, ranges: Mapping[str, ReversedRange]) -> None:
        self._storage = storage
        self._ranges = ranges
        self._seen: dict[int, tuple[FrozenTrial, FrozenTrial]] = {}
        """Trials by id, as they are stored and as they are seen; stored ones are replaced, never changed."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def get_trial(self, trial_id: int) -> FrozenTrial:
        return self._as_seen(self._storage.get_trial(trial_id))

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        stored = self._storage.get_all_trials(study_id, deepcopy=False, states=states)
        seen = [self._remembered(trial) for trial in stored]
        return copy.deepcopy(seen) if deepcopy else seen

    def set_trial_param(self, trial_id: int, name: str, internal: float, distribution: BaseDistribution) -> None:
        if name in self._ranges:
            given = self._storage.get_trial(trial_id).system_attrs.get(_FIXED, {})
            # There and back would round what a user gave.
            value = given.get(name, reversed_value(self._ranges[name], distribution.to_external_repr(internal)))
            distribution = ordinary(self._ranges[name], log=False)
            internal = distribution.to_internal_repr(value)
        self._storage.set_trial_param(trial_id, name, internal, distribution)

    def _remembered(self, trial: FrozenTrial) -> FrozenTrial:
        stored, seen = self._seen.get(trial._trial_id, (None, None))
        if seen is None or stored is not trial:
            seen = self._as_seen(trial)
            self._seen[trial._trial_id] = trial, seen
        return seen

    def _as_seen(self, trial: FrozenTrial) -> FrozenTrial:
        seen = copy.copy(trial)
        seen.params = self._reversed(trial.params)
        seen.distributions = {name: self._ranges.get(name, range_) for name, range_ in trial.distributions.items()}
        if _FIXED in trial.system_attrs:
            seen.system_attrs = {**trial.system_attrs, _FIXED: self._reversed(trial.system_attrs[_FIXED])}
        return seen

    def _reversed(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: reversed_value(self._ranges[name], value) if name in self._ranges else value
            for name, value in values.items()
        }
