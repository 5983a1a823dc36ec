"""The exit codes of a training container that mean something to the operator."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """How a training process says how it ended; every other code is an error of the training script."""

    DONE = 0
    """The training ended, or stopped because the trial was pruned."""

    REPORTS_LOST = 75
    """Reports could not be delivered (EX_TEMPFAIL of sysexits.h): the trial is not judged from partial reports."""
