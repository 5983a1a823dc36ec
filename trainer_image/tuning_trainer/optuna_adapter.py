"""A trial with the methods of `optuna.Trial`, so that existing objectives run unchanged and without Optuna."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any, SupportsFloat

from tuning_contract import ParameterRequest
from tuning_contract.environment import ParameterValue
from tuning_trainer.errors import ParameterError, ReportError
from tuning_trainer.session import current_trial
from tuning_trainer.trial import Trial

_log = logging.getLogger(__name__)


def optuna_trial() -> OptunaTrial:
    """Return the trial that this process trains, for an objective written for Optuna.

    `objective(study_trial)` with Optuna becomes, in the training container:

        trial = tuning.optuna_trial()
        trial.complete(objective(trial))

    An objective that raises `TrialPruned`, Optuna's or the SDK's, ends the process as pruned, with status 0.
    """
    return OptunaTrial(current_trial())


class OptunaTrial:
    """What an Optuna objective asks of its trial.

    The operator has chosen the study's `parameters` before the process started: `suggest_*` returns its choice and
    checks that it is within what the objective asks for. Others are asked for where the study says `defineByRun`, and
    their values are the same in all runs and attempts of a trial. Outside a study the middle of the range or the first
    choice is returned.
    """

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self.params: dict[str, Any] = {}
        """Parameters that were suggested so far."""
        self.user_attrs: dict[str, Any] = {}
        """Attributes set by the objective; they stay in this process and are logged."""

    @property
    def number(self) -> int:
        """Number of the trial within its study, from 0."""
        return self._trial.number

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Return a Float parameter's value; of one in the study's `parameters`, `step` and `log` are its business."""
        request = ParameterRequest(name, "Float", low, high, step, "Log" if log else None)
        value = self._value(request, math.sqrt(low * high) if log else (low + high) / 2)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise ParameterError(_mismatch(name, value, f"a number from {low} to {high}"))
        self.params[name] = float(value)
        return float(value)

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """Return an Int parameter's value; of one in the study's `parameters`, `step` and `log` are its business."""
        request = ParameterRequest(name, "Int", low, high, None if step == 1 else step, "Log" if log else None)
        value = self._value(request, round(math.sqrt(low * high)) if log else (low + high) // 2)
        whole = isinstance(value, (int, float)) and not isinstance(value, bool) and value == int(value)
        if not whole or not low <= value <= high:
            raise ParameterError(_mismatch(name, value, f"a whole number from {low} to {high}"))
        self.params[name] = int(value)
        return int(value)

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Return the choice that equals a Categorical parameter's value.

        Where the study asks for it by run, choices that are no strings, numbers or booleans, such as None, are known to
        it by their text.
        """
        texts = [_as_value(choice) for choice in choices]
        value = self._value(ParameterRequest(name, "Categorical", choices=tuple(texts)), texts[0])
        for choice, text in zip(choices, texts, strict=True):
            if text == value and isinstance(text, bool) == isinstance(value, bool):
                self.params[name] = choice
                return choice
        raise ParameterError(_mismatch(name, value, f"one of {', '.join(repr(choice) for choice in choices)}"))

    def report(self, value: SupportsFloat, step: int) -> None:
        """Report the objective's value after a step; Optuna counts steps from 0, the study from 1.

        As with Optuna, only the first value of a step counts.
        """
        if step + 1 <= self._trial.last_step:
            _log.warning("step %s was reported already, its new value is ignored", step)
            return
        self._trial.report({self._objective(): value}, step=step + 1)

    def should_prune(self) -> bool:
        """Whether the trial should stop, by the operator's newest answer."""
        return self._trial.should_prune()

    def set_user_attr(self, key: str, value: Any) -> None:
        """Keep an attribute in this process and log it; the study's storage does not get it."""
        self.user_attrs[key] = value
        _log.info("%s = %r", key, value)

    def complete(self, values: SupportsFloat | Sequence[SupportsFloat]) -> None:
        """Report what the objective returned, as one more step, and say that the trial is complete.

        With several objectives those are their values in the study's order, as Optuna takes them.

        Raises
        ------
        ReportError
            There are more or fewer values than objectives, or one is no number.
        """
        returned = _returned(values)
        if len(returned) == 1 and len(self._trial.objectives) <= 1:
            self.report(returned[0], step=self._trial.last_step)
        else:
            self._trial.report(self._by_name(returned), step=self._trial.last_step + 1)
        self._trial.complete()

    def _by_name(self, values: Sequence[Any]) -> dict[str, Any]:
        if not self._trial.in_study:
            return {f"values_{index}": value for index, value in enumerate(values)}
        names = self._trial.objectives
        if len(names) != len(values):
            known = f"{len(names)} ({', '.join(names)})" if names else "none that it names in TUNING_OBJECTIVES"
            raise ReportError(
                f"the objective returned {len(values)} value{'' if len(values) == 1 else 's'}, but of objectives the "
                f"study has {known}: return one value for each, in this order"
            )
        return dict(zip(names, values, strict=True))

    def _objective(self) -> str:
        if self._trial.in_study and self._trial.objective is None:
            raise ReportError(
                "the study does not say which metric a bare value is (TUNING_OBJECTIVE is not set, as with several "
                "objectives): report by name, with tuning_trainer.current_trial().report({...}, step=...)"
            )
        return self._trial.objective or "value"

    def _value(self, request: ParameterRequest, outside_a_study: ParameterValue) -> Any:
        if request.name in self._trial.parameters:
            return self._trial.parameters[request.name]
        if self._trial.named_parameters is not None:
            return self._trial.named_parameters.ask(request)
        if self._trial.in_study:
            known = ", ".join(sorted(self._trial.parameters)) or "none"
            raise ParameterError(
                f"this trial has no parameter {request.name!r} (it has: {known}): add it to spec.parameters with type "
                f"{request.type}, or ask for it only where its `when` holds, or let the study say `defineByRun: true`"
            )
        return outside_a_study


def _returned(values: Any) -> tuple[Any, ...]:
    """Return the values of a tuple, list, array or tensor, or the only one."""
    try:
        return (values,) if isinstance(values, (str, bytes)) else tuple(values)
    except TypeError:
        return (values,)


def _as_value(choice: Any) -> ParameterValue:
    return choice if isinstance(choice, (str, int, float)) else str(choice)


def _mismatch(name: str, value: Any, asked: str) -> str:
    return (
        f"the study gives parameter {name!r} the value {value!r}, but the objective asks for {asked}: "
        "make spec.parameters and the objective agree"
    )
