"""Tells the operator how the training process ended, and keeps the process until its reports are delivered.

| the process | is told as |
|---|---|
| reaches the end of its main script | Complete |
| ends by an uncaught exception | Failed, with the exception's type and message |
| ends by an uncaught `TrialFailed` | Failed, with its message; no traceback is shown |
| ends by an uncaught `TrialPruned`, Optuna's or the SDK's | Pruned, with exit status 0 |
| calls `sys.exit` or raises `SystemExit`, gets SIGTERM or Ctrl-C, is killed | nothing: the Job's own end speaks |

A process cannot see its own exit status. Where success is not certain, nothing is said: the operator judges a trial by
its Job's exit code then, which only takes a little longer. `Trial.complete` says it at once.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from opcode import opname
from types import FrameType, TracebackType

from tuning_contract import ExitCode, FinalState, TrialEnd
from tuning_contract.reports import MAX_MESSAGE_LENGTH
from tuning_trainer.channels import ReportChannel
from tuning_trainer.errors import TrialFailed, TrialPruned


class ProcessEnd:
    """The hooks of one process: its uncaught exceptions, its SIGTERM and its exit."""

    def __init__(self, channel: ReportChannel, flush_seconds: float) -> None:
        self._channel = channel
        self._flush_seconds = flush_seconds
        self._process = os.getpid()
        self._script = _outermost_frame()
        self._failed = False
        self._exiting = False
        self._previous_hook = sys.excepthook

    def install(self) -> None:
        """Set the hooks; a SIGTERM handler only where the script has none."""
        sys.excepthook = self._on_uncaught
        atexit.register(self._on_exit)
        in_main_thread = threading.current_thread() is threading.main_thread()
        if in_main_thread and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self._on_sigterm)

    def _on_uncaught(self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if os.getpid() == self._process:
            if is_pruning(error):
                self._channel.end(TrialEnd(FinalState.PRUNED))
                raise SystemExit(ExitCode.DONE)  # the interpreter takes its exit status from here
            self._failed = True
            if isinstance(error, Exception):
                self._channel.end(TrialEnd(FinalState.FAILED, failure_message(error)))
            if isinstance(error, TrialFailed):
                sys.stderr.write(f"the trial failed: {error}\n")
                return
        self._previous_hook(kind, error, traceback)

    def _on_sigterm(self, number: int, frame: FrameType | None) -> None:
        del frame
        if os.getpid() != self._process:  # a forked child, such as a data loader's worker, ends as it would have
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        elif not self._exiting:
            raise SystemExit(128 + number)

    def _on_exit(self) -> None:
        self._exiting = True  # first: from here on SIGTERM must not interrupt
        if os.getpid() != self._process:
            return
        if not self._failed and _returned(self._script):
            self._channel.end(TrialEnd(FinalState.COMPLETE))
        lost = self._channel.flush(self._flush_seconds)
        if lost and not self._failed:
            _exit_with_lost_reports(lost)


def is_pruning(error: BaseException) -> bool:
    """Whether an exception means that the trial was pruned; Optuna is not imported to find out."""
    optuna_exceptions = sys.modules.get("optuna.exceptions")
    optuna_pruned = getattr(optuna_exceptions, "TrialPruned", TrialPruned)
    return isinstance(error, (TrialPruned, optuna_pruned))


def failure_message(error: BaseException) -> str:
    """Return what the operator shows of an exception, cut to what the wire format allows."""
    text = str(error) if isinstance(error, TrialFailed) else f"{type(error).__name__}: {error}"
    return text.encode("utf-8", "replace").decode()[:MAX_MESSAGE_LENGTH]


def _outermost_frame() -> FrameType | None:
    """Return the frame in which the main script began."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    while frame is not None and frame.f_back is not None:
        frame = frame.f_back
    return frame


def _returned(frame: FrameType | None) -> bool:
    """Whether a frame that is no longer running came to its end: its last instruction then is a return.

    A frame that was left by an exception, and SystemExit is one, stopped at the instruction that raised it.
    """
    if frame is None:
        return False
    return opname[frame.f_code.co_code[frame.f_lasti]].startswith("RETURN_")


def _exit_with_lost_reports(lost: int) -> None:
    """End the process with the exit code that says so: an exit handler cannot change the status in another way."""
    sys.stderr.write(
        f"{lost} of this trial's reports could not be delivered to the operator; the process ends with status "
        f"{ExitCode.REPORTS_LOST.value}, so that the trial is not judged without them\n"
    )
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(ExitCode.REPORTS_LOST)
