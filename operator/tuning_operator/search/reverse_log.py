"""Reverse logarithmic scales, which Optuna does not have: samplers see a logarithmic scale that runs backwards.

What is stored is what the trial gets, from an ordinary range, so that dashboards and notebooks show the user's values.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial

ReversedRange = FloatDistribution | IntDistribution

GIVEN = "fixed_params"
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


def backwards(trial: FrozenTrial, ranges: Mapping[str, ReversedRange]) -> FrozenTrial:
    """Return a stored trial as samplers see it; `ranges` are the logarithmic ones that run backwards, by parameter."""
    if not ranges:
        return trial
    seen = copy.copy(trial)
    seen.params = reversed_values(trial.params, ranges)
    seen.distributions = {name: ranges.get(name, range_) for name, range_ in trial.distributions.items()}
    if GIVEN in trial.system_attrs:
        seen.system_attrs = {**trial.system_attrs, GIVEN: reversed_values(trial.system_attrs[GIVEN], ranges)}
    return seen


def forwards(trial: FrozenTrial, ranges: Mapping[str, ReversedRange], given: Mapping[str, Any]) -> FrozenTrial:
    """Return a trial that a sampler made as it is stored; `given` are the values that no sampler chose.

    There and back would round these.
    """
    stored = copy.copy(trial)
    stored.params = reversed_values(trial.params, ranges) | {
        name: given[name] for name in given if name in trial.params
    }
    stored.distributions = {
        name: ordinary(ranges[name], log=False) if name in ranges else range_
        for name, range_ in trial.distributions.items()
    }
    if given:
        stored.system_attrs = {**trial.system_attrs, GIVEN: dict(given)}
    return stored


def reversed_values(values: Mapping[str, Any], ranges: Mapping[str, ReversedRange]) -> dict[str, Any]:
    """Return parameters with those turned round that run backwards."""
    return {name: reversed_value(ranges[name], value) if name in ranges else value for name, value in values.items()}
