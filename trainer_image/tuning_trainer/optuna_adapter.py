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


_WITHOUT_STUDY = frozenset({"study", "storage", "distributions", "relative_params", "datetime_start", "system_attrs"})
"""What Optuna's trial has, and a training process without a study has not."""


class OptunaTrial:
    """What an Optuna objective asks of its trial.

    The operator has chosen the study's `parameters` before the process started: `suggest_*` returns its choice and
    checks that it is within what the objective asks for. Others are asked for where the study says `defineByRun`, and
    their values are the same in all runs and attempts of a trial. Outside a study the middle of the range or the first
    choice is returned.
    """

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._requests: dict[str, ParameterRequest] = {}
        self.params: dict[str, Any] = {}
        """Parameters that were suggested so far."""
        self.user_attrs: dict[str, Any] = {}
        """Attributes set by the objective; they stay in this process."""
        self.constraints: dict[str, float] = {}
        """Constraints set by the objective; `complete` reports them."""

    def __getattr__(self, name: str) -> Any:
        if name in _WITHOUT_STUDY:
            raise AttributeError(
                f"`trial.{name}` is not there: the study is the operator's, and this process only trains one trial of "
                "it; after the training, Optuna reads the study from the storage"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def number(self) -> int:
        """Number of the trial within its study, from 0."""
        return self._trial.number

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Return a Float parameter's value; of one in the study's `parameters`, `step` and `log` are its business."""
        low, high, step = float(low), float(high), None if step is None else float(step)
        request = ParameterRequest(name, "Float", low, high, step, "Log" if log else None)
        if self._is_known(request):
            return float(self.params[name])
        value = self._value(request, math.sqrt(low * high) if log else (low + high) / 2)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise ParameterError(_mismatch(name, value, f"a number from {low} to {high}"))
        return float(self._keep(request, float(value)))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """Return an Int parameter's value; of one in the study's `parameters`, `step` and `log` are its business."""
        low, high, step = int(low), int(high), int(step)
        request = ParameterRequest(name, "Int", low, high, None if step == 1 else step, "Log" if log else None)
        if self._is_known(request):
            return int(self.params[name])
        value = self._value(request, round(math.sqrt(low * high)) if log else (low + high) // 2)
        whole = isinstance(value, (int, float)) and not isinstance(value, bool) and value == int(value)
        if not whole or not low <= value <= high:
            raise ParameterError(_mismatch(name, value, f"a whole number from {low} to {high}"))
        return int(self._keep(request, int(value)))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Return the choice that equals a Categorical parameter's value.

        Where the study asks for it by run, choices that are no strings, numbers or booleans, such as None, are known to
        it by their text, and functions and classes by their names.
        """
        texts = [_as_value(name, choice) for choice in choices]
        if not texts:
            raise ParameterError(f"the objective gives parameter {name!r} no choices: give at least one")
        request = ParameterRequest(name, "Categorical", choices=tuple(texts))
        if self._is_known(request):
            return self.params[name]
        value = self._value(request, texts[0])
        for choice, text in zip(choices, texts, strict=True):
            if text == value and isinstance(text, bool) == isinstance(value, bool):
                return self._keep(request, choice)
        raise ParameterError(_mismatch(name, value, f"one of {', '.join(repr(choice) for choice in choices)}"))

    def suggest_uniform(self, name: str, low: float, high: float) -> float:
        """Do what `suggest_float` does; Optuna has deprecated this one."""
        return self.suggest_float(name, low, high)

    def suggest_loguniform(self, name: str, low: float, high: float) -> float:
        """Do what `suggest_float(log=True)` does; Optuna has deprecated this one."""
        return self.suggest_float(name, low, high, log=True)

    def suggest_discrete_uniform(self, name: str, low: float, high: float, q: float) -> float:
        """Do what `suggest_float(step=q)` does; Optuna has deprecated this one."""
        return self.suggest_float(name, low, high, step=q)

    def report(self, value: SupportsFloat, step: int) -> None:
        """Report the objective's value after a step; Optuna counts steps from 0, the study from 1.

        As with Optuna, steps may come in any order, and only the first value of a step counts.
        """
        if self._trial.has_reported(step + 1):
            _log.warning("step %s was reported already, its new value is ignored", step)
            return
        self._trial.report({self._objective(): value}, step=step + 1)

    def should_prune(self) -> bool:
        """Whether the trial should stop, by the operator's newest answer."""
        return self._trial.should_prune()

    def set_user_attr(self, key: str, value: Any) -> None:
        """Keep an attribute in this process; the study's storage does not get it, and one line of the log says so."""
        if not self.user_attrs:
            _log.warning(
                "User attributes such as %r stay in the training's process. What the study shall keep is reported as a "
                "metric, by tuning_trainer.current_trial().report({...}, step=...), or printed.",
                key,
            )
        self.user_attrs[key] = value

    def set_constraint(self, key: str, value: SupportsFloat) -> None:
        """Set a constraint, which is kept where the value is 0 or less; only the first value counts, as with Optuna.

        `complete` reports it as the metric of this name. The study says `metricConstraints: [{metric: ..., max: 0}]`.
        """
        number = float(value)
        if math.isnan(number):
            raise ValueError(f"the constraint {key!r} is NaN")
        if self.constraints.setdefault(key, number) != number:
            _log.warning("the constraint %r was set already, its new value is ignored", key)

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
            by_name = {self._objective(): returned[0]}
        else:
            by_name = self._by_name(returned)
        self._trial.report({**self.constraints, **by_name}, step=self._trial.last_step + 1)
        self._trial.complete()

    def _is_known(self, request: ParameterRequest) -> bool:
        """Return whether the objective has asked for a parameter before; as with Optuna, its first range counts."""
        first = self._requests.get(request.name)
        if first is None:
            return False
        if (first.type, first.choices) != (request.type, request.choices):
            raise ParameterError(
                f"the objective asks for parameter {request.name!r} twice, and for another type or other choices the "
                "second time: give one of them another name"
            )
        if first != request:
            _log.warning("parameter %r was asked for with another range before, which counts", request.name)
        return True

    def _keep(self, request: ParameterRequest, value: Any) -> Any:
        self._requests[request.name] = request
        self.params[request.name] = value
        return value

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


def _as_value(name: str, choice: Any) -> ParameterValue:
    """Return a choice as the study knows it: the same in every process."""
    if callable(getattr(choice, "item", None)) and getattr(choice, "ndim", None) == 0:
        choice = choice.item()  # a number of NumPy or PyTorch
    if isinstance(choice, (str, int, float)):
        return choice
    if hasattr(choice, "__qualname__"):
        return f"{choice.__module__}.{choice.__qualname__}"
    text = str(choice)
    if " at 0x" in text:
        raise ParameterError(
            f"a choice of parameter {name!r} is {text}, a text that differs from process to process: let the choices "
            "be names, and look the object up by the one that is suggested"
        )
    return text


def _mismatch(name: str, value: Any, asked: str) -> str:
    return (
        f"the study gives parameter {name!r} the value {value!r}, but the objective asks for {asked}: "
        "make spec.parameters and the objective agree"
    )
