"""The trial as a training script sees it."""

from __future__ import annotations

import operator
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, SupportsFloat

from tuning_contract import ExitCode, FinalState, Report, TrialEnd, TrialEnvironment
from tuning_contract.reports import MAX_METRICS_PER_REPORT, MAX_STEP, METRIC_NAME
from tuning_trainer.channels import ReportChannel
from tuning_trainer.distributed import agree
from tuning_trainer.errors import ReportError


class Trial:
    """One execution of the training script with one set of parameters.

    Scripts get theirs from `current_trial`. Outside a study there is no environment: the parameters are the
    script's defaults, reports are printed, and nothing is ever pruned.
    """

    def __init__(self, environment: TrialEnvironment | None, channel: ReportChannel) -> None:
        self._environment = environment
        self._channel = channel
        self._steps: set[int] = set()
        self.parameters: Mapping[str, Any] = dict(environment.parameters) if environment else {}
        """Parameters by name: the study's, and the defaults of those that the study does not tune."""

    @property
    def in_study(self) -> bool:
        """Whether an operator or a local runner started this process."""
        return self._environment is not None

    @property
    def study(self) -> str | None:
        """Name of the study; None outside one."""
        return self._environment.study if self._environment else None

    @property
    def number(self) -> int:
        """Number of the trial within its study, from 0; 0 outside a study."""
        return self._environment.trial if self._environment else 0

    @property
    def seed(self) -> int:
        """Seed of this run; where the study sets none, the trial's number."""
        seed = self._environment.seed if self._environment else None
        return self.number if seed is None else seed

    @property
    def budget(self) -> int | None:
        """How many epochs to train, where the study's strategy decides it; None: the script decides."""
        return self._environment.budget if self._environment else None

    @property
    def objective(self) -> str | None:
        """Metric of the study's only objective; None outside a study and with several objectives."""
        return self._environment.objective if self._environment else None

    @property
    def checkpoint_dir(self) -> Path | None:
        """Directory for this trial's checkpoints, which exists; None: the study keeps none."""
        return _path(self._environment.checkpoint_dir) if self._environment else None

    @property
    def resume_from(self) -> Path | None:
        """Directory of the checkpoint to continue from; None: start afresh. It may be empty or absent."""
        return _path(self._environment.resume_from) if self._environment else None

    def report(self, values: Mapping[str, SupportsFloat], step: int) -> None:
        """Report metrics after a step; returns at once.

        Parameters
        ----------
        values
            All metrics of this step by name. NaN and infinities may be reported: the study decides what they mean.
        step
            Steps done, from 1; usually epochs.

        Raises
        ------
        ReportError
            A name or a step is not allowed, the step was reported before, or the trial has ended.
        RuntimeError
            This process was forked after the trial was opened: its parent has to report.
        """
        if self._channel.ended:
            raise ReportError(f"step {step} was reported after the trial had ended")
        report = Report(step=_checked_step(step), values=_checked_values(values), time=time.time())
        if report.step in self._steps:
            raise ReportError(f"step {step} was reported already: report all metrics of a step in one call")
        self._steps.add(report.step)
        self._channel.report(report)

    def should_prune(self) -> bool:
        """Whether the trial should stop, by the operator's newest answer; does not wait for one.

        The answer to a report arrives some milliseconds after it, so a fast loop sees it one step later. In
        distributed training (PyTorch's process group initialised) all ranks must call this equally often, and all get
        the answer of rank 0.
        """
        return agree(self._channel.reply.stop)

    def prune(self) -> NoReturn:
        """Say that the trial was pruned and end the process with status 0, after `finally` blocks and a flush."""
        self._channel.end(TrialEnd(FinalState.PRUNED))
        sys.exit(ExitCode.DONE)

    def complete(self) -> None:
        """Say that the trial is complete, which frees its place in the study at once.

        Without it the end of the main script says so. Needed where a script ends by `sys.exit`, or has work left
        that the study need not wait for.
        """
        self._channel.end(TrialEnd(FinalState.COMPLETE))


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _checked_step(step: int) -> int:
    try:
        number = operator.index(step)
    except TypeError:
        raise ReportError(f"the step must be a whole number, not {step!r}") from None
    if isinstance(step, bool) or not 1 <= number <= MAX_STEP:
        raise ReportError(f"the step is {step!r}, but steps count from 1, the steps done, to {MAX_STEP}")
    return number


def _checked_values(values: Mapping[str, SupportsFloat]) -> dict[str, float]:
    if not 1 <= len(values) <= MAX_METRICS_PER_REPORT:
        raise ReportError(f"a report holds 1 to {MAX_METRICS_PER_REPORT} metrics, not {len(values)}")
    return {_checked_name(name): _checked_value(name, value) for name, value in values.items()}


def _checked_name(name: str) -> str:
    if not isinstance(name, str) or not METRIC_NAME.fullmatch(name):
        raise ReportError(f"{name!r} is not a metric name: letters, digits and _./@:- only, at most 128 of them")
    return name


def _checked_value(name: str, value: SupportsFloat) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise ReportError(f"the value of metric {name!r} is {value!r}, which is not a number") from None
