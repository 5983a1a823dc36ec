"""Which Jobs must go while a study is suspended, or after it was ended early."""

from __future__ import annotations

from tuning_operator.api.study import Suspension
from tuning_operator.decisions.snapshot import JobPhase, TrialJob


def gives_way(job: TrialJob | None, mode: Suspension) -> bool:
    """Return whether an open trial gives way: Drain lets running pods finish, Terminate none.

    A trial without a Job gives way always.
    """
    return job is None or mode is Suspension.TERMINATE or job.phase is JobPhase.PENDING
