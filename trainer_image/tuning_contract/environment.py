"""The environment of a training container: which trial it is, its parameters, where to report.

`TrialEnvironment.variables` is what the operator writes into a container, `TrialEnvironment.read` is what the SDK
reads there; the two are each other's inverse.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tuning_contract.version import CONTRACT_VERSION

ParameterValue = str | float | int | bool
"""A value of a parameter: JSON's scalar types but null."""

PARAMETER_PREFIX = "PARAM_"
"""Each parameter is also one variable of this prefix, so that `$(PARAM_x)` works in a container's args."""

RESERVED_PREFIXES = (PARAMETER_PREFIX, "TUNING_")
"""Prefixes of the variables that only the operator sets."""

RUN_VARIABLE = "TUNING_RUN"
"""The one variable that differs between the pods of a trial; others refer to it."""


class TrialEnvironmentError(ValueError):
    """A variable of the trial's environment is missing or unreadable; the message names it."""


def parameter_text(value: ParameterValue) -> str:
    """Return a parameter's value as the text of its `PARAM_` variable: strings as they are, the rest as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


@dataclass(frozen=True)
class TrialEnvironment:
    """All that a training container is told about its trial."""

    study: str
    """Name of the study."""
    namespace: str
    """Namespace of the study."""
    trial: int
    """Number of the trial within the study, from 0."""
    parameters: Mapping[str, ParameterValue]
    """Parameters by name, with their types kept."""
    run: int = 0
    """Which of the trial's runs, from 0: with `folds` of the first repeat come first, then those of the second."""
    folds: int | None = None
    """How many folds a cross-validation has, each of them a run; None: there is none, and runs are repeats."""
    attempt: int = 1
    """Which attempt at this run, from 1; a retry is a new attempt."""
    report_url: str | None = None
    """Where reports are POSTed; None: nowhere, reports are kept in the process."""
    report_token: str | None = field(default=None, repr=False)
    """The bearer credential of this attempt alone."""
    report_token_file: str | None = None
    """File with the bearer credential, in its stead; it is replaced before it expires, so each request reads it."""
    report_ca: str | None = field(default=None, repr=False)
    """Certificates (PEM) that the report URL's own is checked against; None: those that the image trusts."""
    parameter_url: str | None = None
    """Where the trial's code asks for parameters that it names itself; None: all of them are in `parameters`."""
    checkpoint_dir: str | None = None
    """Directory for this trial's checkpoints."""
    resume_from: str | None = None
    """Directory to resume from where `checkpoint_dir` has nothing: an earlier attempt's, or the parent trial's, whose
    parameters may be others."""
    seed: int | None = None
    """Seed of this run."""
    budget: int | None = None
    """Steps (epochs) that the net shall have had at the trial's end, those of its ancestors included, where the study's
    strategy says so: a trial that resumes after step 9 with a budget of 27 does the steps 10 to 27."""
    objective: str | None = None
    """Metric of the study's only objective, for scripts that report a bare value; None with several objectives."""
    objectives: Sequence[str] = ()
    """Metrics of the study's several objectives, in its order; empty where it has only one."""

    def variables(self) -> dict[str, str]:
        """Return the variables as the operator writes them, those of the parameters first."""
        texts = {PARAMETER_PREFIX + name: parameter_text(value) for name, value in self.parameters.items()}
        optional = {
            "TUNING_REPORT_URL": self.report_url,
            "TUNING_REPORT_TOKEN": self.report_token,
            "TUNING_REPORT_TOKEN_FILE": self.report_token_file,
            "TUNING_REPORT_CA": self.report_ca,
            "TUNING_PARAMETER_URL": self.parameter_url,
            "TUNING_FOLDS": self.folds,
            "TUNING_CHECKPOINT_DIR": self.checkpoint_dir,
            "TUNING_RESUME_FROM": self.resume_from,
            "TUNING_SEED": self.seed,
            "TUNING_BUDGET": self.budget,
            "TUNING_OBJECTIVE": self.objective,
            "TUNING_OBJECTIVES": json.dumps([*self.objectives]) if self.objectives else None,
        }
        return {
            **texts,
            "TUNING_PARAMETERS": json.dumps(dict(self.parameters), sort_keys=True),
            "TUNING_STUDY": self.study,
            "TUNING_NAMESPACE": self.namespace,
            "TUNING_TRIAL": str(self.trial),
            RUN_VARIABLE: str(self.run),
            "TUNING_ATTEMPT": str(self.attempt),
            **{name: str(value) for name, value in optional.items() if value is not None},
            "TUNING_CONTRACT": str(CONTRACT_VERSION),
        }

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> TrialEnvironment | None:
        """Return the trial that a process's environment describes, None outside a study.

        Raises
        ------
        TrialEnvironmentError
            A variable is missing or unreadable, or the operator speaks another version of the contract.
        """
        if "TUNING_TRIAL" not in environ:
            return None
        contract = _required_integer(environ, "TUNING_CONTRACT")
        if contract != CONTRACT_VERSION:
            raise TrialEnvironmentError(
                f"TUNING_CONTRACT is {contract}, but this SDK speaks version {CONTRACT_VERSION}: "
                "install the tuning-operator package of the operator's version into the trainer's image"
            )
        return cls(
            study=_text(environ, "TUNING_STUDY"),
            namespace=_text(environ, "TUNING_NAMESPACE"),
            trial=_required_integer(environ, "TUNING_TRIAL"),
            parameters=_parameters(environ),
            run=_integer(environ, RUN_VARIABLE) or 0,
            folds=_integer(environ, "TUNING_FOLDS"),
            attempt=_integer(environ, "TUNING_ATTEMPT") or 1,
            report_url=environ.get("TUNING_REPORT_URL"),
            report_token=environ.get("TUNING_REPORT_TOKEN"),
            report_token_file=environ.get("TUNING_REPORT_TOKEN_FILE"),
            report_ca=environ.get("TUNING_REPORT_CA"),
            parameter_url=environ.get("TUNING_PARAMETER_URL"),
            checkpoint_dir=environ.get("TUNING_CHECKPOINT_DIR"),
            resume_from=environ.get("TUNING_RESUME_FROM"),
            seed=_integer(environ, "TUNING_SEED"),
            budget=_integer(environ, "TUNING_BUDGET"),
            objective=environ.get("TUNING_OBJECTIVE"),
            objectives=_names(environ, "TUNING_OBJECTIVES"),
        )


def _text(environ: Mapping[str, str], name: str) -> str:
    try:
        return environ[name]
    except KeyError:
        raise TrialEnvironmentError(f"{name} is not set, although TUNING_TRIAL is") from None


def _integer(environ: Mapping[str, str], name: str) -> int | None:
    text = environ.get(name)
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        raise TrialEnvironmentError(f"{name} is {text!r}, which is not a whole number") from None


def _required_integer(environ: Mapping[str, str], name: str) -> int:
    value = _integer(environ, name)
    if value is None:
        raise TrialEnvironmentError(f"{name} is not set, although TUNING_TRIAL is")
    return value


def _json(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TrialEnvironmentError(f"{name} is not JSON: {error}") from None


def _names(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    values = _json(name, environ.get(name, "[]"))
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TrialEnvironmentError(f"{name} is not a JSON list of strings")
    return tuple(values)


def _parameters(environ: Mapping[str, str]) -> dict[str, ParameterValue]:
    values = _json("TUNING_PARAMETERS", _text(environ, "TUNING_PARAMETERS"))
    if not isinstance(values, dict) or not all(isinstance(v, (str, int, float)) for v in values.values()):
        raise TrialEnvironmentError("TUNING_PARAMETERS is not a JSON object of strings, numbers and booleans")
    return values
