"""Studies and Jobs on the real API server, whose Jobs' statuses a test sets: no pod runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.api.studies import study
from tests.cluster_api.manifests import job_manifest
from tests.support.api_client import ApiRefused
from tests.support.control_plane import ControlPlane
from tuning_operator.api.names import API_VERSION, PLURAL
from tuning_operator.cluster.client import ClusterClient
from tuning_operator.cluster.credentials import Credentials
from tuning_operator.cluster.job_cache import JobCache
from tuning_operator.cluster.trial_jobs import ClusterTrialJobs
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.ports import Manifest

CRD_FILE = Path(__file__).parents[2] / "crds" / "tuningstudies.yaml"
JOBS_PATH = "/apis/batch/v1/namespaces/{namespace}/jobs"
NOW = "2027-01-15T08:00:00Z"
UNMANAGED = "tuning-operator.io/tests"
"""Value of spec.managedBy that keeps the Job controller's hands off a Job."""


def install_crd(control_plane: ControlPlane) -> None:
    """Install the CRD if it is missing."""
    try:
        control_plane.api.get(f"/apis/{API_VERSION}/{PLURAL}")
    except ApiRefused:
        control_plane.install_definitions(CRD_FILE)


def study_document(name: str) -> dict[str, Any]:
    """Return a small study that the CRD accepts."""
    container = {"name": "trainer", "image": "trainer:1", "command": ["sleep", "3600"]}
    objectives = [{"metric": "accuracy", "direction": "Maximize"}]
    return study(name, objectives=objectives, trial={"template": {"spec": {"containers": [container]}}})


def create_study(control_plane: ControlPlane, namespace: str, name: str) -> StudyKey:
    """Create a study; without a real owner the garbage collector would delete its Jobs."""
    created = control_plane.api.create(f"/apis/{API_VERSION}/namespaces/{namespace}/{PLURAL}", study_document(name))
    return StudyKey(namespace, name, created["metadata"]["uid"])


def credentials(control_plane: ControlPlane) -> Credentials:
    """Return the admin's credentials."""
    return Credentials(control_plane.url, f"Bearer {control_plane.admin_token}", ca_file=str(control_plane.ca_file))


class ClusterWorld:
    """Implements the conformance suite's `World`: the Job controller is a test that writes statuses."""

    def __init__(self, control_plane: ControlPlane, namespace: str, client: ClusterClient, cache: JobCache) -> None:
        self.cache = cache
        self.jobs = ClusterTrialJobs(client, cache)
        self.study = create_study(control_plane, namespace, "digits")
        self.other_study = create_study(control_plane, namespace, "other")
        self._api = control_plane.api
        self._path = JOBS_PATH.format(namespace=namespace)

    def manifest(self, study: StudyKey, trial: int, attempt: int = 1, runs: int = 1) -> Manifest:
        manifest = job_manifest(study, trial, attempt, runs)
        manifest["spec"]["managedBy"] = UNMANAGED
        return manifest

    def unacceptable_manifest(self, study: StudyKey) -> Manifest:
        manifest = job_manifest(study, 0)
        manifest["spec"]["template"]["spec"]["restartPolicy"] = "Sometimes"
        return manifest

    async def run(self, name: str) -> None:
        self.set_status(name, {"startTime": NOW, "active": 1, "ready": 1})

    async def end(self, name: str, exit_code: int, run: int = 0) -> None:
        job = self._api.get(f"{self._path}/{name}")
        runs, ended = job["spec"].get("completions", 1), (job.get("status") or {}).get("succeeded", 0) + 1
        if exit_code == 0 and ended < runs:
            self.set_status(name, {"startTime": NOW, "active": runs - ended, "ready": runs - ended, "succeeded": ended})
        elif exit_code == 0:
            times = {"startTime": NOW, "completionTime": "2027-01-15T08:01:00Z"}
            conditions = [condition("SuccessCriteriaMet"), condition("Complete")]
            self.set_status(name, {**times, "active": 0, "ready": 0, "succeeded": runs, "conditions": conditions})
        else:
            failure = f"Container trainer for pod ns/{name}-{run}-x failed with exit code {exit_code}"
            words = f"{failure} matching FailJob rule at index 1"
            conditions = [condition("FailureTarget", words), condition("Failed", words)]
            self.set_status(name, {"startTime": NOW, "active": 0, "ready": 0, "failed": 1, "conditions": conditions})

    async def remove(self, name: str) -> None:
        self._api.delete(f"{self._path}/{name}")

    def set_status(self, name: str, status: dict[str, Any]) -> None:
        """Write a Job's status as the Job controller would."""
        self._api.merge_patch(f"{self._path}/{name}/status", {"status": status})


def condition(kind: str, message: str = "") -> dict[str, str]:
    """Return a Job's condition that is true."""
    times = {"lastTransitionTime": "2027-01-15T08:01:00Z", "lastProbeTime": "2027-01-15T08:01:00Z"}
    return {"type": kind, "status": "True", "reason": "PodFailurePolicy", "message": message, **times}
