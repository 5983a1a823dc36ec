"""A study's Jobs as they were seen last, in the cluster or on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class JobPhase(StrEnum):
    """How far a Job is."""

    SUSPENDED = "Suspended"
    """A queue (Kueue), or whoever suspended it, holds it back: it has no pod and gets none."""
    PENDING = "Pending"
    """No pod of it is running."""
    RUNNING = "Running"
    """A pod of it is running."""
    COMPLETE = "Complete"
    """Its condition Complete is true: the container exited with 0."""
    FAILED = "Failed"
    """Its condition Failed is true."""


_ACTIVE = frozenset({JobPhase.SUSPENDED, JobPhase.PENDING, JobPhase.RUNNING})

SIGKILL_EXIT_CODE = 137
"""What a container exits with that was killed: at its memory limit, or for any other reason."""


@dataclass(frozen=True)
class TrialJob:
    """A Job as it was seen last."""

    name: str
    trial: int
    attempt: int
    phase: JobPhase
    created_at: float
    """Seconds since 1970."""
    fingerprint: str = ""
    """Of the parameters that it trains; empty: it does not say."""
    released_at: float | None = None
    """When a queue let it go last; None: none ever held it back."""
    running_at: float | None = None
    """When its pod was first seen running, since a queue let it go."""
    held_since: float | None = None
    """Since when a queue holds it back; None: it does not."""
    earlier_pods: tuple[tuple[float, float], ...] = ()
    """From when to when pods of it ran that a queue took, as far as this process saw; the oldest first."""
    ended_at: float | None = None
    """When it became Complete or Failed."""
    deleting: bool = False
    """Its deletion has been asked for."""
    terminating_since: float | None = None
    """Since when its only pod has been told to end, and is still there; None: it has not."""
    exit_code: int | None = None
    """Exit code of the training container, where the Job's condition names it."""
    message: str = ""
    """Why it failed, or why its pod does not start, in the cluster's words."""
    disrupted: bool = False
    """It failed because its pod was disrupted, not by itself."""
    cause: str | None = None
    """What its pod says of its end: the reason of its condition DisruptionTarget, or OOMKilled; empty: nothing special,
    None: it was not asked."""

    @property
    def awaits_cause(self) -> bool:
        """Whether its pod is still to be asked why it ended; whoever observes Jobs asks soon, and always answers."""
        if self.cause is not None:
            return False
        if self.phase is JobPhase.FAILED:
            return self.disrupted or self.exit_code in (None, SIGKILL_EXIT_CODE)
        return self.is_active and (self.disrupted or self.exit_code == SIGKILL_EXIT_CODE)

    @property
    def is_active(self) -> bool:
        """Whether it may have a pod, or get one."""
        return self.phase in _ACTIVE

    @property
    def has_been_queued(self) -> bool:
        """Whether a queue has had to do with it, as far as that is known."""
        return self.released_at is not None or self.held_since is not None or bool(self.earlier_pods)

    @property
    def waiting_since(self) -> float:
        """Since when it has been allowed to have a pod; seconds since 1970."""
        return self.created_at if self.released_at is None else self.released_at


class StrayJob(NamedTuple):
    """A Job that fits none of its study's trials."""

    job: TrialJob
    why: str
    """A sentence."""
