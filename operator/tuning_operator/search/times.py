"""Times: seconds since 1970 here, naive local time in Optuna's trials, naive UTC in its tables."""

from __future__ import annotations

from datetime import UTC, datetime


def to_local(seconds: float) -> datetime:
    """Return a time as Optuna's trials have it."""
    return datetime.fromtimestamp(seconds, UTC).astimezone().replace(tzinfo=None)


def to_stored(local: datetime | None) -> datetime | None:
    """Return a trial's time as Optuna's tables have it."""
    return None if local is None else local.astimezone(UTC).replace(tzinfo=None)


def from_stored(stored: datetime | None) -> datetime | None:
    """Return a trial's time from Optuna's tables."""
    return None if stored is None else stored.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)
