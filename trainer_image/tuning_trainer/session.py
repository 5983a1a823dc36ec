"""The process's one trial: found in the environment once, then the same for every caller."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tuning_contract import TrialEnvironment
from tuning_trainer.channels import PrintedReports, ReportChannel, SilentReports
from tuning_trainer.distributed import is_reporting_rank
from tuning_trainer.endpoint import ParameterEndpoint, ReportEndpoint
from tuning_trainer.named_parameters import AskedParameters
from tuning_trainer.process_end import ProcessEnd
from tuning_trainer.sender import ReportSender
from tuning_trainer.trial import Trial

FLUSH_SECONDS = 300.0
"""How long a process waits at its exit for reports that are not delivered yet: longer than an operator's restart."""

_trial: Trial | None = None


def current_trial(defaults: Mapping[str, Any] | None = None, *, flush_seconds: float = FLUSH_SECONDS) -> Trial:
    """Return the trial that this process trains.

    The first call opens the way to the operator and arranges that the process's end is told (see `process_end`);
    later calls return the same trial and add their defaults to its parameters.

    Parameters
    ----------
    defaults
        Values of parameters that the study may leave out; outside a study, of all parameters.
    flush_seconds
        How long the process may wait at its exit for undelivered reports; it ends with status 75 if some are left.

    Raises
    ------
    TrialEnvironmentError
        The environment describes a trial, but not completely, or in another version of the contract.
    """
    global _trial
    if _trial is None:
        _trial = _open(TrialEnvironment.read(os.environ), flush_seconds)
    _trial.parameters = {**(defaults or {}), **_trial.parameters}
    return _trial


@contextmanager
def replaced_trial(trial: Trial) -> Iterator[None]:
    """Let `current_trial` return another trial for a while: for tests of training scripts."""
    global _trial
    previous, _trial = _trial, trial
    try:
        yield
    finally:
        _trial = previous


def _open(environment: TrialEnvironment | None, flush_seconds: float) -> Trial:
    if environment is None:
        return Trial(None, PrintedReports())
    channel = _channel(environment)
    ProcessEnd(channel, flush_seconds).install()
    return Trial(environment, channel, _named_parameters(environment))


def _named_parameters(environment: TrialEnvironment) -> AskedParameters | None:
    """Every rank asks for itself: all get the same values."""
    if environment.parameter_url is None:
        return None
    endpoint = ParameterEndpoint(
        environment.parameter_url,
        environment.report_token,
        token_file=environment.report_token_file,
        ca=environment.report_ca,
    )
    return AskedParameters(endpoint)


def _channel(environment: TrialEnvironment) -> ReportChannel:
    if not is_reporting_rank(os.environ):
        return SilentReports()
    if environment.report_url is None:
        return PrintedReports()
    endpoint = ReportEndpoint(
        environment.report_url,
        environment.report_token,
        token_file=environment.report_token_file,
        ca=environment.report_ca,
    )
    return ReportSender(endpoint)
