"""Places where a test ends or freezes this process, and defects that a test switches on to see them found.

All that exist are named here. Nothing happens before `arm` has read a `TUNING_FAULTS` that is not empty, which the
operator's main function alone calls; until then a point costs one look at a variable. What is armed is logged as a
warning.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Coroutine, Mapping
from enum import StrEnum
from typing import Any

from tuning_operator.errors import TuningError

_log = logging.getLogger(__name__)

VARIABLE = "TUNING_FAULTS"
"""Environment variable: words separated by commas, such as `kill:job-created:3` (the third time the point is reached),
`freeze:lease-taken` (the first time) and `defect:double-launch`."""


class Point(StrEnum):
    """Right after a side effect, before anything that follows from it."""

    STUDY_STORED = "study-stored"
    """A study's history was created or loaded."""
    TRIALS_STORED = "trials-stored"
    """Trials were asked for."""
    JOB_CREATED = "job-created"
    ATTEMPT_STORED = "attempt-stored"
    """It is stored that another attempt follows."""
    JOB_DELETED = "job-deleted"
    REPORTS_STORED = "reports-stored"
    """Before they are acknowledged."""
    PRUNING_STORED = "pruning-stored"
    """Before the trial is told to stop."""
    END_STORED = "end-stored"
    """It is stored how trials ended."""
    STATUS_WRITTEN = "status-written"
    """Before the Event that announces it."""
    EVENT_POSTED = "event-posted"
    LEASE_TAKEN = "lease-taken"
    LEASE_RENEWED = "lease-renewed"


class Defect(StrEnum):
    """A mistake that the fault suite must find."""

    ACK_BEFORE_COMMIT = "ack-before-commit"
    """Reports are acknowledged before they are stored."""
    DOUBLE_LAUNCH = "double-launch"
    """Each attempt gets two Jobs."""


class InvalidFaults(TuningError):
    """The variable can't be read."""


_signals: dict[Point, signal.Signals] = {}
"""What this process sends itself at a point; empty: nothing is armed."""
_left: dict[Point, int] = {}
"""How many times a point is still passed, the last one included."""
_defects: set[Defect] = set()
_LATE_SECONDS = 1.0
_running: set[asyncio.Task[None]] = set()
"""Work that nobody waits for."""


def reach(point: Point) -> None:
    """Take note that a side effect is done; the process may end or freeze here."""
    if _signals and point in _signals:
        _left[point] -= 1
        if _left[point] == 0:
            os.kill(os.getpid(), _signals[point])


def has(defect: Defect) -> bool:
    """Return whether a deliberate defect is switched on."""
    return defect in _defects


async def unwaited(work: Coroutine[Any, Any, None]) -> None:
    """Let work begin a little later, as a cache that writes behind does, and return at once."""
    task = asyncio.create_task(_late(work))
    _running.add(task)
    task.add_done_callback(_running.discard)


async def _late(work: Coroutine[Any, Any, None]) -> None:
    await asyncio.sleep(_LATE_SECONDS)
    await work


def twin(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same Job under another name."""
    return {**job, "metadata": {**job["metadata"], "name": f"{job['metadata']['name']}-twin"}}


def arm(environ: Mapping[str, str] = os.environ) -> None:
    """Switch on what the variable names, and nothing else.

    Raises
    ------
    InvalidFaults
        It names what does not exist.
    """
    for switched_on in (_signals, _left, _defects):
        switched_on.clear()
    text = environ.get(VARIABLE, "")
    for word in filter(None, text.split(",")):
        _switch_on(word)
    if text:
        _log.warning("%s=%s: this operator is made to fail, for tests only; unset the variable", VARIABLE, text)


def _switch_on(word: str) -> None:
    kind, name, count = [*word.split(":"), "1", "1"][:3]
    try:
        if kind == "defect":
            _defects.add(Defect(name))
        else:
            _signals[Point(name)] = {"kill": signal.SIGKILL, "freeze": signal.SIGSTOP}[kind]
            _left[Point(name)] = int(count)
    except (ValueError, KeyError):
        known = ", ".join([*(f"kill:{point}" for point in Point), *(f"defect:{defect}" for defect in Defect)])
        raise InvalidFaults(f"{VARIABLE} has {word!r}, which is none of {known}; `freeze` is like `kill`") from None
