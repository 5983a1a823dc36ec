"""The trial as a training script sees it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, SupportsFloat

from tuning_contract import ExitCode, FinalState, Report, TrialEnd, TrialEnvironment
from tuning_trainer.channels import ReportChannel
from tuning_trainer.checkpoints import Checkpoint, Checkpoints
from tuning_trainer.distributed import agree, is_saving_rank
from tuning_trainer.errors import CheckpointError, ReportError
from tuning_trainer.named_parameters import NamedParameters
from tuning_trainer.report_checks import checked_step, checked_values

DELIVERY_SECONDS = 10.0
"""How long a checkpoint waits for the reports made before it; the training is worth more than they are."""


class Trial:
    """One execution of the training script with one set of parameters.

    Scripts get theirs from `current_trial`. Outside a study there is no environment: the parameters are the
    script's defaults, reports are printed, and nothing is ever pruned.
    """

    def __init__(
        self,
        environment: TrialEnvironment | None,
        channel: ReportChannel,
        named_parameters: NamedParameters | None = None,
    ) -> None:
        self._environment = environment
        self._channel = channel
        self.named_parameters = named_parameters
        """Values of parameters that the script names itself, as `optuna_trial` asks for them; None: the study does not
        let it."""
        self._checkpoints = _checkpoints(environment)
        self._steps: set[int] = set()
        self.last_step = 0
        """The largest step that this process has reported; 0: none."""
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
    def run(self) -> int:
        """Which of the trial's runs this is, from 0; 0 where it has only one."""
        return self._environment.run if self._environment else 0

    @property
    def folds(self) -> int | None:
        """How many folds the study's cross-validation has; None: the study asks for none."""
        return self._environment.folds if self._environment else None

    @property
    def fold(self) -> int | None:
        """Which fold this run does not learn from and is scored on, from 0; None: the study asks for no folds."""
        return None if self.folds is None else self.run % self.folds

    @property
    def repeat(self) -> int:
        """Which repetition this run belongs to, from 0. All folds of one repetition must split the data alike."""
        return self.run // (self.folds or 1)

    @property
    def seed(self) -> int:
        """Seed of this run; where the study sets none, the trial's number."""
        seed = self._environment.seed if self._environment else None
        return self.number if seed is None else seed

    @property
    def budget(self) -> int | None:
        """The last step (epoch) to train, where the study's strategy decides it; None: the script decides.

        Steps go on where the resumed checkpoint's ended: after step 9, a budget of 27 means the steps 10 to 27.
        """
        return self._environment.budget if self._environment else None

    @property
    def objective(self) -> str | None:
        """Metric of the study's only objective; None outside a study and with several objectives."""
        return self._environment.objective if self._environment else None

    @property
    def objectives(self) -> Sequence[str]:
        """Metrics of all of the study's objectives, in its order; empty outside a study."""
        if self.objective is not None:
            return (self.objective,)
        return self._environment.objectives if self._environment else ()

    @property
    def checkpoint_dir(self) -> Path | None:
        """Directory for this trial's checkpoints, the same in all its attempts; it is made when it is first asked for.

        None: outside a study, and where the study keeps none. `save` and `resume` use it for PyTorch.

        Raises
        ------
        CheckpointError
            It cannot be made.
        """
        return self._checkpoints.directory()

    @property
    def resume_from(self) -> Path | None:
        """Directory to continue from where `checkpoint_dir` is empty; None: start afresh. It may be empty or absent.

        An earlier attempt's, or another trial's: a strategy's trial may go on from its parent, with other parameters.
        """
        return _path(self._environment.resume_from) if self._environment else None

    @property
    def resume_dir(self) -> Path | None:
        """Directory with the files to go on from, for a framework's own checkpoints; None: start afresh.

        It is `checkpoint_dir` once anything is in it, else `resume_from` if anything is in that. Write nothing there:
        it may be another trial's. `resume` looks by itself.
        """
        return self._checkpoints.found()

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
        report = Report(step=checked_step(step), values=checked_values(values), time=time.time())
        if report.step in self._steps:
            raise ReportError(f"step {step} was reported already: report all metrics of a step in one call")
        self._steps.add(report.step)
        self.last_step = max(self.last_step, report.step)
        self._channel.report(report)

    def has_reported(self, step: int) -> bool:
        """Whether this process has reported a step."""
        return step in self._steps

    def should_prune(self) -> bool:
        """Whether the trial should stop, by the operator's newest answer; does not wait for one.

        The answer to a report arrives some milliseconds after it, so a fast loop sees it one step later. In
        distributed training (PyTorch's process group initialised) all ranks must call this equally often, and all get
        the answer of rank 0.
        """
        return agree(self._channel.reply.stop)

    def flush(self, seconds: float = DELIVERY_SECONDS) -> None:
        """Wait until the reports made so far are delivered, but not longer than some seconds.

        `save` does so by itself. Call it before a checkpoint of your own in `checkpoint_dir`: a training that goes on
        from there does not make those reports again.
        """
        self._channel.flush(seconds)

    def save(self, state: object, step: int) -> None:
        """Save a checkpoint of a PyTorch training, from which `resume` goes on; this one and the one before are kept.

        Save after the report of the same step, for a resumed training does not report it again. Where the study keeps
        no checkpoints nothing is saved, and one line says so. In distributed training only rank 0 writes.

        Parameters
        ----------
        state
            Tensors, numbers, strings, and lists and dicts of them: the `state_dict()` of model and optimizer,
            `torch.get_rng_state()`, and what else the training needs to go on as if nothing had happened.
        step
            Steps done, from 1, as in `report`.

        Raises
        ------
        CheckpointError
            The directory cannot be made, or the state holds objects that could not be read back safely.
        OSError
            The file cannot be written. The checkpoint before it is still there.
        """
        done = checked_step(step)
        if is_saving_rank(os.environ):
            self.flush(DELIVERY_SECONDS)
            self._checkpoints.save(state, done)

    def resume(self) -> Checkpoint | None:
        """Return the newest checkpoint that is whole; None: there is none, the training starts afresh.

        It is looked for in `checkpoint_dir`, then in `resume_from`; a damaged one is skipped, with a line in the log.
        In distributed training all ranks must call this once PyTorch's process group is initialised, and get the same.

        Raises
        ------
        CheckpointError
            This rank does not see the checkpoint that rank 0 goes on from, or PyTorch is not installed.
        """
        checkpoint = self._checkpoints.newest()
        step = 0 if checkpoint is None else checkpoint.step
        leading = agree(step)
        if step != leading:
            raise CheckpointError(
                f"rank 0 goes on after step {leading}, but this rank's newest readable checkpoint is of step {step}: "
                "all ranks must see the same checkpoint directory"
            )
        return checkpoint

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


def _checkpoints(environment: TrialEnvironment | None) -> Checkpoints:
    if environment is None:
        return Checkpoints(None)
    return Checkpoints(_path(environment.checkpoint_dir), _path(environment.resume_from), environment.attempt)


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
