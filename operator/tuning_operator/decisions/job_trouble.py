"""When a Job is tried again after one could not be created."""

from __future__ import annotations

from dataclasses import dataclass

from tuning_operator.errors import JobRefused, TuningError

REFUSED_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Pauses after refusals in a row, the last one for ever. An API server that has just started refuses what its roles
allow until it has loaded them; policies and names change too, but not by the second."""
AWAY_SECONDS = 5.0
"""The pause after a Job that could not be created now: a quota without room, an API server that is away."""


@dataclass(frozen=True)
class JobTrouble:
    """What keeps a study's Jobs from being created."""

    problem: str = ""
    """The API server's words; empty: nothing."""
    blocked_until: float | None = None
    """When one is tried again; seconds since 1970."""
    refusals: int = 0
    """In a row; Jobs that were tried together count once."""

    def after(self, error: TuningError, begun_at: float, now: float) -> JobTrouble:
        """Return what follows from a Job that was tried from `begun_at` on and could not be created."""
        if not isinstance(error, JobRefused):
            return JobTrouble(str(error), now + AWAY_SECONDS, self.refusals)
        if self.blocked_until is not None and begun_at < self.blocked_until:
            return JobTrouble(str(error), self.blocked_until, max(self.refusals, 1))
        pause = REFUSED_SECONDS[min(self.refusals, len(REFUSED_SECONDS) - 1)]
        return JobTrouble(str(error), now + pause, self.refusals + 1)

    def may_be_over(self, now: float) -> bool:
        """Return whether it is time to try again."""
        return self.blocked_until is not None and now >= self.blocked_until

    def seen_at(self, now: float) -> JobTrouble:
        """Return the same on a clock that may have been set back: that must not block for hours."""
        if self.blocked_until is None:
            return self
        return JobTrouble(self.problem, min(self.blocked_until, now + REFUSED_SECONDS[-1]), self.refusals)


NO_TROUBLE = JobTrouble()
