"""Why an attempt failed, in one word and one sentence."""

from __future__ import annotations

from tuning_contract import ExitCode
from tuning_operator.api.retries import FailureClass
from tuning_operator.decisions.seen_jobs import TrialJob

Failure = tuple[FailureClass, str]
"""Why an attempt failed: the class and a sentence."""

_DISRUPTIONS = {
    "PreemptionByScheduler": FailureClass.PREEMPTED,
    "DeletionByTaintManager": FailureClass.NODE_LOST,
    "DeletionByPodGC": FailureClass.NODE_LOST,
}
"""Reasons of a pod's condition DisruptionTarget; all others (EvictionByEvictionAPI, TerminationByKubelet) evict."""

_SIGTERM_EXIT_CODE = 143
"""What a process exits with that does not handle SIGTERM: its pod was deleted or its node is shutting down."""

_IMAGE_REASONS = ("ErrImage", "ImagePull", "ImageInspect", "InvalidImageName", "RegistryUnavailable")
"""How the kubelet's reasons begin when a container waits for its image."""


def failure_of(job: TrialJob) -> Failure:
    """Return why a failed Job failed."""
    if job.disrupted:
        failure = _DISRUPTIONS.get(job.cause or "", FailureClass.EVICTED)
        return failure, f"its pod was disrupted{f' ({job.cause})' if job.cause else ''}: {job.message}"
    if job.cause == "OOMKilled":
        return FailureClass.OUT_OF_MEMORY, "the training container was killed at its memory limit; raise the limit"
    if job.exit_code == ExitCode.REPORTS_LOST:
        message = "the trainer could not deliver its reports, so the trial is not judged by the rest"
        return FailureClass.REPORTS_LOST, message
    if job.exit_code == _SIGTERM_EXIT_CODE:
        return FailureClass.EVICTED, "its pod was terminated from outside (exit code 143 after SIGTERM)"
    if job.exit_code is not None:
        message = f"the training container exited with code {job.exit_code}; see the log of Job {job.name}"
        return FailureClass.ERROR, message
    return FailureClass.ERROR, job.message or f"Job {job.name} failed"


def is_image_problem(message: str) -> bool:
    """Return whether the words of a Job that waits are about its image."""
    return message.startswith(_IMAGE_REASONS)


def start_failure_of(job: TrialJob, patience: str) -> Failure:
    """Return why no pod of a Job was running after `patience`, a duration."""
    failure = FailureClass.START_DEADLINE_EXCEEDED
    if is_image_problem(job.message):
        failure = FailureClass.IMAGE_PROBLEM
    why = f": {job.message}" if job.message else ""
    return failure, f"no pod of Job {job.name} was running after {patience}{why}"
