"""When a study's own clock goes, and when it stands."""

from __future__ import annotations

from tuning_operator.decisions.history import ActiveTime
from tuning_operator.decisions.snapshot import Snapshot
from tuning_operator.decisions.stopping import Verdict


def active_time_after(snapshot: Snapshot, verdict: Verdict | None) -> ActiveTime | None:
    """Return the study's clock if it has to be started or stopped now; None: it goes on as it does."""
    history, clock = snapshot.history, snapshot.history.active
    has_ended = verdict is not None and not history.open
    is_active = history.started_at is not None and not snapshot.spec.suspend.enabled and not has_ended
    if is_active == (clock.since is not None):
        return None
    return ActiveTime(clock.seconds_at(snapshot.now), since=snapshot.now if is_active else None)
