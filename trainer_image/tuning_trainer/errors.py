"""The SDK's exceptions.

ValueError
+-- ReportError        a report that the operator would refuse
LookupError
+-- ParameterError     the study's parameters do not fit what the script asks for
RuntimeError
+-- CheckpointError    a checkpoint cannot be kept, or not be resumed from
Exception
+-- TrialPruned        raised by the script: the trial stops here
+-- TrialFailed        raised by the script: the trial can come to nothing, for this reason
"""

from __future__ import annotations


class ReportError(ValueError):
    """A report cannot be sent as it is; the message says what to change in the script."""


class ParameterError(LookupError):
    """The study has no such parameter, or its value is outside what the script asks for."""


class CheckpointError(RuntimeError):
    """A checkpoint cannot be kept, or not by all processes of the trial; the message says what to change."""


class TrialPruned(Exception):
    """Raised by a training script to stop its trial; uncaught, it ends the process with status 0.

    It can be used in place of `optuna.TrialPruned`, which is understood as well.
    """


class TrialFailed(Exception):
    """Raised by a training script whose trial can come to nothing; uncaught, it ends the process with status 1.

    The study shows its message, a sentence, and the log shows it without a traceback: for parameters that make no
    model, say, which is no fault of the code.
    """
