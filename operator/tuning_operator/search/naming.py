"""Parameters that a trial's code names while it runs: chosen once, and stored before anybody hears of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna import Study
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    _get_single_value,
    check_distribution_compatibility,
)
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from tuning_contract.environment import ParameterValue
from tuning_contract.parameters import MAX_NAMED_PARAMETERS
from tuning_operator.api.named_parameters import NamedParameter
from tuning_operator.api.sentences import shown
from tuning_operator.errors import ParameterRefused
from tuning_operator.search.reverse_log import GIVEN
from tuning_operator.search.space import distribution, rounded, stored_values

JOINTLY = "tuning:jointly_chosen"
"""System attribute of a trial: values that its sampler chose together before its code named them, by name."""


@dataclass(frozen=True)
class Wanted:
    """A parameter that an open trial has not got yet."""

    number: int
    """The trial's."""
    parameter: NamedParameter
    distribution: BaseDistribution

    @property
    def name(self) -> str:
        """The parameter's."""
        return self.parameter.name


def wanted(number: int, parameter: NamedParameter) -> Wanted:
    """Return what a trial's code asks for, as Optuna has it."""
    return Wanted(number, parameter, distribution(parameter))


def known_value(trial: FrozenTrial, wanted: Wanted) -> Any:
    """Return what a trial has of a parameter already, as Optuna has it; None: it has none.

    Another range than before changes nothing, as with Optuna.

    Raises
    ------
    ParameterRefused
        It is of another kind, or the trial has too many.
    """
    if wanted.name in trial.params:
        check_same_kind(wanted, trial.distributions[wanted.name])
        return trial.params[wanted.name]
    if len(trial.params) >= MAX_NAMED_PARAMETERS:
        raise ParameterRefused(
            f"trial {trial.number} has {MAX_NAMED_PARAMETERS} parameters, and may have no more; does the code name a "
            "new one in each step?"
        )
    return None


def check_same_kind(wanted: Wanted, known: BaseDistribution) -> None:
    """Raise `ParameterRefused` if a parameter is of another kind than one of the same name, or has other choices."""
    if not is_same_kind(wanted.distribution, known):
        raise ParameterRefused(
            f"the parameter {shown(wanted.name)} was {_kind(known)} when it was named before, in this trial, another "
            "one or a result of `search.warmStart`; what is another parameter needs another name"
        )


def is_same_kind(distribution: BaseDistribution, known: BaseDistribution) -> bool:
    """Return whether two are of one kind: Float or Int on one scale, or the same choices."""
    try:
        check_distribution_compatibility(known, distribution)
    except ValueError:
        return False
    return True


def choose(wanted: Wanted, trial: FrozenTrial, study: Study, sampler: BaseSampler) -> Any:
    """Return a value as Optuna has it: what an enqueued trial was given, what was chosen jointly, or what the sampler
    chooses for this parameter alone.
    """
    given, jointly = _noted(trial, GIVEN), _noted(trial, JOINTLY)
    if wanted.name in given and wanted.parameter.contains(given[wanted.name]):
        (stored,) = stored_values(wanted.parameter, [given[wanted.name]])
        return _of_kind(wanted.distribution, stored)
    if wanted.name in jointly and contains(wanted.distribution, jointly[wanted.name]):
        return _of_kind(wanted.distribution, jointly[wanted.name])
    if wanted.distribution.single():
        return _get_single_value(wanted.distribution)
    return sampler.sample_independent(study, trial, wanted.name, wanted.distribution)


def _noted(trial: FrozenTrial, name: str) -> Mapping[str, Any]:
    """Return values by parameter that are noted with a trial; what somebody else has written there is none."""
    noted = trial.system_attrs.get(name)
    return noted if isinstance(noted, dict) else {}


def _of_kind(distribution: BaseDistribution, value: Any) -> Any:
    """Return a value as the choice or number that it equals: 1 where it is True."""
    return distribution.to_external_repr(distribution.to_internal_repr(value))


def contains(distribution: BaseDistribution, value: Any) -> bool:
    """Return whether a parameter can have a value."""
    try:
        return bool(distribution._contains(distribution.to_internal_repr(value)))
    except (ValueError, TypeError):
        return False


def named_value(distribution: BaseDistribution, stored: Any) -> ParameterValue:
    """Return the value of a parameter that code named as people read it, from Optuna's.

    Where choices differ in JSON alone, as 1 and true do, that is a text; the code itself gets its own choice.
    """
    if isinstance(distribution, FloatDistribution):
        return rounded(float(stored), distribution.low, distribution.step)
    return as_sent(stored)


def as_sent(choice: Any) -> ParameterValue:
    """Return a choice as the SDK sends it, which knows those that no study can have by their text: None for one."""
    return choice if isinstance(choice, str | int | float) else str(choice)


def _kind(known: BaseDistribution) -> str:
    if isinstance(known, CategoricalDistribution):
        return f"a Categorical of {shown(list(known.choices))}"
    kind = "a Float" if isinstance(known, FloatDistribution) else "an Int"
    return f"{kind} on a {'Log' if getattr(known, 'log', False) else 'Linear'} scale"
