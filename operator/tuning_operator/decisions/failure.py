"""Why an attempt failed, in one word and one sentence."""

from __future__ import annotations

from tuning_contract import ExitCode
from tuning_operator.decisions.snapshot import TrialJob


def failure_of(job: TrialJob) -> tuple[str, str]:
    """Return reason and message for a failed Job."""
    if job.exit_code == ExitCode.REPORTS_LOST:
        return "ReportsLost", "the trainer could not deliver its reports, so the trial is not judged by the rest"
    if job.exit_code is not None:
        return (
            "TrainingFailed",
            f"the training container exited with code {job.exit_code}; see the log of Job {job.name}",
        )
    return "JobFailed", job.message or f"Job {job.name} failed"
