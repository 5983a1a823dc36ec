"""Which Jobs must go while a study is suspended, or after it was ended early."""

from __future__ import annotations

from tuning_operator.api.study import Suspension
from tuning_operator.decisions.seen_jobs import TrialJob
from tuning_operator.decisions.trial_state import TrialState, state_of
from tuning_operator.decisions.trials import OpenTrial


def gives_way(trial: OpenTrial, job: TrialJob | None, mode: Suspension) -> bool:
    """Return whether an open trial gives way: Drain lets running pods finish, Terminate none.

    A trial without a Job gives way always; one whose Job has ended never, for its log may still be read.
    """
    if job is not None and not job.is_active:
        return False
    return mode is Suspension.TERMINATE or state_of(trial, job) is not TrialState.RUNNING
