"""The chart on a real API server, in a namespace that enforces the restricted Pod Security Standard."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chart.helm import CHART, VALUES_FILES, Helm, HelmFailed, find_helm, load_values, pod_spec
from tests.support.api_client import ApiRefused
from tests.support.control_plane import ControlPlane

RELEASE = "tuning"
NAME = "tuning-tuning-operator"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/tuningstudies.tuning-operator.io"
STUDIES = "/apis/tuning-operator.io/v1alpha1/namespaces/{}/tuningstudies"
EXAMPLE = Path(__file__).parents[2] / "examples" / "digits-mlp.yaml"
DEADLINE_S = 60.0
"""Seconds until a controller of Kubernetes must have reacted; one is usual."""


@dataclass
class Installed:
    """A release on the control plane."""

    helm: Helm
    plane: ControlPlane
    namespace: str
    output: str
    """What `helm install` printed."""


@pytest.fixture(scope="module")
def installed(helm: Helm, control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """The chart with its defaults. What other tests put on the control plane is left as it was."""
    namespace = "chart-installation"
    shared_definition = _exists(control_plane, DEFINITION)
    control_plane.api.create("/api/v1/namespaces", {"metadata": {"name": namespace, "labels": RESTRICTED}})
    client = Helm(find_helm(), tmp_path_factory.mktemp("helm"), control_plane.kubeconfig)
    # A definition that other tests applied with kubectl belongs to no release.
    install = ("install", RELEASE, str(CHART), "--namespace", namespace, "--take-ownership")
    yield Installed(client, control_plane, namespace, client.call(*install))
    if RELEASE in client.call("list", "--short", "--namespace", namespace).split():
        client.call("uninstall", RELEASE, "--namespace", namespace)
    control_plane.api.delete(f"/api/v1/namespaces/{namespace}")
    if not shared_definition:
        control_plane.api.delete(DEFINITION)
        _wait_for(lambda: not _exists(control_plane, DEFINITION), "the definition is still there")


def _exists(plane: ControlPlane, path: str) -> bool:
    try:
        plane.api.get(path)
    except ApiRefused as refusal:
        if refusal.status != 404:
            raise
        return False
    return True


def _wait_for(holds: Callable[[], bool], complaint: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.05)


def _may(installed: Installed, user: str, verb: str, group: str, resource: str, **where: str) -> bool:
    """Whether RBAC allows it; the resource is `plural` or `plural/subresource`."""
    plural, _, subresource = resource.partition("/")
    attributes = {"verb": verb, "group": group, "resource": plural, "subresource": subresource, **where}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "groups": ["system:authenticated"], "resourceAttributes": attributes},
    }
    answer = installed.plane.api.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    return bool(answer["status"]["allowed"])


def _bind(installed: Installed, user: str, role: str) -> None:
    """Gives a user a ClusterRole in the release's namespace."""
    arguments = ("create", "rolebinding", user, f"--user={user}", f"--clusterrole={role}")
    installed.plane.kubectl(*arguments, "--namespace", installed.namespace)


def test_the_notes_name_the_next_steps(installed: Installed) -> None:
    for step in (f"rollout status deployment/{NAME}", "apply -f examples/", "get ts -w", "tuning best"):
        assert step in installed.output


def test_the_notes_warn_only_of_a_history_that_is_lost_with_the_pod(installed: Installed) -> None:
    upgrade = ("upgrade", RELEASE, str(CHART), "--namespace", installed.namespace, "--dry-run")
    assert "LOST" in installed.helm.call(*upgrade, values={"persistence": {"enabled": False}})
    assert "LOST" not in installed.output


def test_the_pod_is_admitted_where_only_restricted_pods_are(installed: Installed) -> None:
    pod = {"metadata": {"name": "operator"}, "spec": pod_spec(installed.helm.render(release=RELEASE))}
    pods = f"/api/v1/namespaces/{installed.namespace}/pods?dryRun=All&fieldValidation=Strict"
    assert installed.plane.api.create(pods, pod)["metadata"]["name"] == "operator"
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    with pytest.raises(ApiRefused, match="restricted"):
        installed.plane.api.create(pods, pod)


@pytest.mark.parametrize("file", VALUES_FILES, ids=lambda file: file.stem)
def test_the_api_server_knows_every_field(installed: Installed, file: Path) -> None:
    values = load_values(file)
    if "watchNamespaces" in values:
        values["watchNamespaces"] = ["default", installed.namespace]  # those of the file don't exist here
    manifests = installed.helm.render(values, "strict", installed.namespace)
    known = [each for each in manifests if each["kind"] != "ServiceMonitor"]
    apply = ("apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-")
    printed = installed.plane.kubectl(*apply, input=json.dumps({"apiVersion": "v1", "kind": "List", "items": known}))
    assert len(printed.splitlines()) == len(known)


def test_a_second_release_fits_beside_the_first(installed: Installed) -> None:
    where = ("--namespace", "default")
    values = {"watchNamespaces": ["default"], "crds": {"install": False}, "persistence": {"enabled": False}}
    installed.helm.call("install", RELEASE, str(CHART), *where, values=values)
    installed.helm.call("uninstall", RELEASE, *where)


def test_a_second_definition_is_refused(installed: Installed) -> None:
    with pytest.raises(HelmFailed, match="invalid ownership metadata"):
        installed.helm.call("install", "other", str(CHART), "--namespace", "default")


def test_the_operator_may_do_its_work_and_not_more(installed: Installed) -> None:
    operator = f"system:serviceaccount:{installed.namespace}:{NAME}"
    assert _may(installed, operator, "create", "batch", "jobs", namespace="default")
    assert _may(installed, operator, "patch", "tuning-operator.io", "tuningstudies/status", namespace="default")
    lease = {"namespace": installed.namespace, "name": NAME}
    assert _may(installed, operator, "update", "coordination.k8s.io", "leases", **lease)
    assert not _may(installed, operator, "update", "coordination.k8s.io", "leases", **lease | {"name": "other"})
    assert not _may(installed, operator, "update", "tuning-operator.io", "tuningstudies", namespace="default")
    assert not _may(installed, operator, "get", "", "secrets", namespace=installed.namespace)
    assert not _may(installed, operator, "create", "", "pods", namespace="default")


def test_whoever_may_view_or_edit_a_namespace_may_do_so_with_its_studies(installed: Installed) -> None:
    _bind(installed, "vera", "view")
    _bind(installed, "eddy", "edit")
    studies = ("tuning-operator.io", "tuningstudies")
    where = {"namespace": installed.namespace}
    _wait_for(lambda: _may(installed, "vera", "list", *studies, **where), "studies did not join the role view")
    _wait_for(lambda: _may(installed, "eddy", "create", *studies, **where), "studies did not join the role edit")
    assert not _may(installed, "vera", "create", *studies, **where)
    assert not _may(installed, "eddy", "create", *studies, namespace="default")


def test_a_reader_reaches_the_read_api_and_no_other_service(installed: Installed) -> None:
    arguments = ("create", "rolebinding", "rita", "--user=rita", f"--role={NAME}-viewer")
    installed.plane.kubectl(*arguments, "--namespace", installed.namespace)
    proxy = ("get", "", "services/proxy")
    where = {"namespace": installed.namespace}
    assert _may(installed, "rita", *proxy, **where, name=f"{NAME}:reports")
    assert not _may(installed, "rita", *proxy, **where, name=f"{NAME}-metrics:metrics")
    assert not _may(installed, "rita", *proxy, namespace="default", name=f"{NAME}:reports")


def test_an_uninstall_leaves_only_studies_their_definition_and_their_history(installed: Installed) -> None:
    plane, namespace = installed.plane, installed.namespace
    plane.kubectl("create", "--namespace", namespace, "-f", str(EXAMPLE))
    manifest = installed.helm.call("get", "manifest", RELEASE, "--namespace", namespace)
    installed.helm.call("uninstall", RELEASE, "--namespace", namespace)
    left = ("get", "-f", "-", "--ignore-not-found", "--output=name")
    kept = {
        "customresourcedefinition.apiextensions.k8s.io/tuningstudies.tuning-operator.io",
        f"persistentvolumeclaim/{NAME}-history",
    }
    _wait_for(lambda: set(plane.kubectl(*left, input=manifest).split()) == kept, "more than that was left, or less")
    assert plane.api.get(STUDIES.format(namespace) + "/digits-mlp")


def test_a_new_release_takes_over_what_the_old_one_left(installed: Installed) -> None:
    plane, namespace = installed.plane, installed.namespace
    installed.helm.call("install", RELEASE, str(CHART), "--namespace", namespace)
    assert plane.api.get(STUDIES.format(namespace) + "/digits-mlp")
    claims = plane.api.get(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims")["items"]
    assert [claim["metadata"]["name"] for claim in claims] == [f"{NAME}-history"]
