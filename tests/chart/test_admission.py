"""The chart's admission policy on a real API server: who may create a study, who may change one, and who must get by.

The policy rules one namespace here, so that other tests' studies are left alone.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from tests.chart.helm import Helm, of_kind
from tests.cluster_api.cluster import NOW, install_crd, study_document
from tests.control_plane.operator_process import wait_for
from tests.support.control_plane import ControlPlane, KubectlFailed

POLICY = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
WITHOUT_JOBS, WITH_JOBS = "adam", "joan"
"""Both may do everything with studies; only Joan may create Jobs."""
GARBAGE_COLLECTOR = "system:serviceaccount:kube-system:generic-garbage-collector"
"""Updates owners at their foreground deletion, and may not create Jobs."""
JOBS = "jobs-creator"


@dataclass(frozen=True)
class Guarded:
    """A namespace under the policy."""

    plane: ControlPlane
    namespace: str

    def kubectl(self, *arguments: str, user: str = "", input: str | None = None) -> str:
        """Call kubectl in the namespace, as the admin or as a user."""
        impersonated = [f"--as={user}"] if user else []
        return self.plane.kubectl(*arguments, *impersonated, "--namespace", self.namespace, input=input)

    def create(self, name: str, *options: str, user: str = "") -> None:
        self.kubectl("create", "-f", "-", *options, user=user, input=json.dumps(study_document(name)))

    def patch(self, name: str, patch: dict[str, Any], *options: str, user: str = "") -> None:
        patched = ("patch", "tuningstudy", name, "--type=merge", "--patch", json.dumps(patch))
        self.kubectl(*patched, *options, user=user)

    def names(self) -> set[str]:
        return set(self.kubectl("get", "tuningstudies", "--output=name").split())


@pytest.fixture(scope="module")
def guarded(helm: Helm, control_plane: ControlPlane) -> Iterator[Guarded]:
    install_crd(control_plane)
    namespace = f"guarded-{secrets.token_hex(4)}"
    control_plane.kubectl("create", "namespace", namespace)
    manifests = helm.render({"watchNamespaces": [namespace]}, "guard", namespace)
    policy = yaml.safe_dump_all([each for kind in POLICY for each in of_kind(manifests, kind)])
    control_plane.kubectl("apply", "-f", "-", input=policy)
    made = Guarded(control_plane, namespace)
    _grant(made, "studies", ("*",), "tuningstudies.tuning-operator.io", (WITHOUT_JOBS, WITH_JOBS))
    _grant(made, JOBS, ("create",), "jobs.batch", (WITH_JOBS,))
    wait_for(lambda: "may not create Jobs" in _refusal(made), 60, lambda: "the policy is not in force")
    yield made
    control_plane.kubectl("delete", "-f", "-", input=policy)
    control_plane.kubectl("delete", "namespace", namespace, "--wait=false")


def _grant(guarded: Guarded, role: str, verbs: tuple[str, ...], resource: str, users: tuple[str, ...]) -> None:
    options = [f"--verb={verb}" for verb in verbs], [f"--user={user}" for user in users]
    guarded.kubectl("create", "role", role, *options[0], f"--resource={resource}")
    guarded.kubectl("create", "rolebinding", role, f"--role={role}", *options[1])


def _refusal(guarded: Guarded, user: str = WITHOUT_JOBS) -> str:
    """What the API server says against a study of this user; nothing is stored."""
    try:
        guarded.create(f"try-{secrets.token_hex(4)}", "--dry-run=server", user=user)
    except KubectlFailed as failure:
        return str(failure)
    return ""


def test_a_study_of_somebody_who_may_not_create_jobs_is_refused_with_a_way_out(guarded: Guarded) -> None:
    refusal = _refusal(guarded)
    assert f"adam may not create Jobs in the namespace {guarded.namespace}" in refusal
    assert "ask for the verb create on jobs.batch there" in refusal


def test_a_study_of_somebody_who_may_create_jobs_is_stored(guarded: Guarded) -> None:
    guarded.create("joans", user=WITH_JOBS)
    guarded.patch("joans", {"spec": {"maxTrials": 11}}, user=WITH_JOBS)
    assert "tuningstudy.tuning-operator.io/joans" in guarded.names()


@pytest.mark.parametrize(
    "spec",
    [{"maxTrials": 99}, {"suspend": {"enabled": True}}, {"trial": {"ttlAfterFinished": "2h"}}],
    ids=["more trials", "a suspension", "another lifetime of Jobs"],
)
def test_a_spec_is_changed_by_those_only_who_may_create_jobs(guarded: Guarded, spec: dict[str, Any]) -> None:
    name = f"changed-{secrets.token_hex(4)}"
    guarded.create(name)
    with pytest.raises(KubectlFailed, match="may not create Jobs"):
        guarded.patch(name, {"spec": spec}, user=WITHOUT_JOBS)
    guarded.patch(name, {"spec": spec}, user=WITH_JOBS)


def test_a_study_can_be_labelled_and_deleted_without_the_right_to_create_jobs(guarded: Guarded) -> None:
    guarded.create("labelled")
    guarded.kubectl("label", "tuningstudy", "labelled", "team=a", user=WITHOUT_JOBS)
    guarded.kubectl("annotate", "tuningstudy", "labelled", "note=b", user=WITHOUT_JOBS)
    guarded.kubectl("delete", "tuningstudy", "labelled", user=WITHOUT_JOBS)
    assert "tuningstudy.tuning-operator.io/labelled" not in guarded.names()


def test_a_right_that_is_taken_away_ends_the_changes(guarded: Guarded) -> None:
    _grant(guarded, "for-a-while", ("create",), "jobs.batch", (WITHOUT_JOBS,))
    wait_for(lambda: not _refusal(guarded), 60, lambda: "the right to create Jobs did not help")
    guarded.create("adams", user=WITHOUT_JOBS)
    guarded.kubectl("delete", "rolebinding", "for-a-while")
    wait_for(lambda: bool(_refusal(guarded)), 60, lambda: "the right was taken away, and studies are still accepted")
    with pytest.raises(KubectlFailed, match="may not create Jobs"):
        guarded.patch("adams", {"spec": {"maxTrials": 12}}, user=WITHOUT_JOBS)


def test_a_status_is_written_without_the_right_to_create_jobs(guarded: Guarded) -> None:
    guarded.create("shown")
    # `kubectl patch` reads first; the operator itself does with the verb patch.
    _grant(guarded, "status", ("get", "patch"), "tuningstudies.tuning-operator.io/status", ("writer",))
    status = {"status": {"startTime": NOW, "progress": "1/10"}}
    guarded.patch("shown", status, "--subresource=status", user="writer")
    assert guarded.kubectl("get", "tuningstudy", "shown", "--output=jsonpath={.status.progress}") == "1/10"


def test_a_foreground_deletion_takes_the_jobs_along(guarded: Guarded) -> None:
    guarded.create("owner")
    uid = guarded.kubectl("get", "tuningstudy", "owner", "--output=jsonpath={.metadata.uid}")
    guarded.kubectl("create", "-f", "-", input=json.dumps(_job_of("owner", uid)))
    guarded.kubectl("delete", "tuningstudy", "owner", "--cascade=foreground", "--wait=false", user=WITHOUT_JOBS)
    wait_for(lambda: "tuningstudy.tuning-operator.io/owner" not in guarded.names(), 60, lambda: "the study hangs")
    assert "owned" not in guarded.kubectl("get", "jobs", "--output=name")


def test_the_garbage_collector_may_update_a_study_that_waits_for_its_dependents(guarded: Guarded) -> None:
    """Here it runs as a superuser, whom every policy lets by; on other clusters it has an account of its own."""
    guarded.create("waiting")
    guarded.patch("waiting", {"metadata": {"finalizers": ["example.com/hold"]}})
    guarded.kubectl("delete", "tuningstudy", "waiting", "--wait=false")
    guarded.patch("waiting", {"metadata": {"finalizers": None}}, user=GARBAGE_COLLECTOR)
    assert "tuningstudy.tuning-operator.io/waiting" not in guarded.names()


def _job_of(study: str, uid: str) -> dict[str, Any]:
    owner = {"apiVersion": "tuning-operator.io/v1alpha1", "kind": "TuningStudy", "name": study, "uid": uid}
    container = {"name": "trainer", "image": "trainer:1"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "owned", "ownerReferences": [{**owner, "controller": True, "blockOwnerDeletion": True}]},
        "spec": {"suspend": True, "template": {"spec": {"restartPolicy": "Never", "containers": [container]}}},
    }
