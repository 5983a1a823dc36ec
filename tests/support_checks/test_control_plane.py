from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.api_client import ApiClient, ApiRefused
from tests.support.audit import AuditEvent
from tests.support.components import API_SERVER, ETCD
from tests.support.control_plane import ControlPlane, KubectlFailed

from .waiting import wait_for

OWNERS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "owners.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "owners", "singular": "owner", "kind": "Owner"},
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}},
        ],
    },
}
"""A kind that exists nowhere else."""


def config_map(name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": "value"}}


def events_of(control_plane: ControlPlane, path: str, since: int) -> list[AuditEvent]:
    return [event for event in control_plane.audit_log.events(user="admin", since=since) if event.uri.startswith(path)]


def test_kubectl_creates_and_reads_as_the_admin(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.kubectl("create", "-n", namespace, "-f", "-", input=json.dumps(config_map("greeting")))
    read = control_plane.kubectl("get", "configmap", "greeting", "-n", namespace, "-o", "jsonpath={.data.key}")
    assert read == "value"


def test_a_failing_kubectl_says_what_the_server_said(control_plane: ControlPlane, namespace: str) -> None:
    with pytest.raises(KubectlFailed, match='configmaps "absent" not found'):
        control_plane.kubectl("get", "configmap", "absent", "-n", namespace)


def test_a_service_account_may_do_nothing_until_it_is_bound(control_plane: ControlPlane, namespace: str) -> None:
    kubeconfig = control_plane.create_user_kubeconfig(namespace, "default")
    with pytest.raises(KubectlFailed, match=f"system:serviceaccount:{namespace}:default"):
        control_plane.kubectl("get", "configmaps", kubeconfig=kubeconfig)
    binding = ["create", "rolebinding", "viewer", "--clusterrole=view", f"--serviceaccount={namespace}:default"]
    control_plane.kubectl(*binding, "-n", namespace)
    listed = wait_for(lambda: _list_config_maps(control_plane, kubeconfig_of=namespace), "the binding takes effect")
    assert "kube-root-ca.crt" in listed


def _list_config_maps(control_plane: ControlPlane, kubeconfig_of: str) -> str | None:
    try:
        return control_plane.kubectl(
            "get", "configmaps", kubeconfig=control_plane.files.kubeconfig(f"{kubeconfig_of}-default")
        )
    except KubectlFailed:
        return None


def test_a_wrong_token_is_refused(control_plane: ControlPlane) -> None:
    stranger = ApiClient(control_plane.url, control_plane.ca_file, "wrong")
    with pytest.raises(ApiRefused, match="Unauthorized") as refused:
        stranger.get("/api/v1/namespaces")
    assert refused.value.status == 401


def test_the_dependents_of_a_new_kind_of_object_are_collected(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    (tmp_path / "owners.json").write_text(json.dumps(OWNERS))
    control_plane.install_definitions(tmp_path / "owners.json")
    owners, config_maps = (f"{api}/namespaces/{namespace}" for api in ("/apis/example.com/v1", "/api/v1"))
    body = {"apiVersion": "example.com/v1", "kind": "Owner", "metadata": {"name": "owner"}}
    owner = control_plane.api.create(f"{owners}/owners", body)
    reference = {"apiVersion": "example.com/v1", "kind": "Owner", "name": "owner", "uid": owner["metadata"]["uid"]}
    owned = {**config_map("owned"), "metadata": {"name": "owned", "ownerReferences": [reference]}}
    control_plane.api.create(f"{config_maps}/configmaps", owned)
    control_plane.api.delete(f"{owners}/owners/owner")

    def names() -> list[str]:
        return [each["metadata"]["name"] for each in control_plane.api.get(f"{config_maps}/configmaps")["items"]]

    wait_for(lambda: "owned" not in names(), "the dependent is collected")


def test_the_audit_log_has_one_event_per_request(control_plane: ControlPlane, namespace: str) -> None:
    since = control_plane.audit_log.position()
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    control_plane.api.create(path, config_map("first"))
    control_plane.api.get(f"{path}/first")
    with pytest.raises(ApiRefused):
        control_plane.api.get(f"{path}/second")
    events = wait_for(
        lambda: found if len(found := events_of(control_plane, path, since)) >= 3 else None, "three requests are logged"
    )
    assert [(event.verb, event.resource, event.name, event.code) for event in events] == [
        ("create", "configmaps", "first", 201),
        ("get", "configmaps", "first", 200),
        ("get", "configmaps", "second", 404),
    ]


def test_a_killed_api_server_comes_back_on_the_same_port_with_all_objects(
    control_plane: ControlPlane, namespace: str
) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    control_plane.api.create(path, config_map("survivor"))
    control_plane.kill(API_SERVER)
    with pytest.raises(OSError, match="refused"):
        control_plane.api.get(path)
    control_plane.restart(API_SERVER)
    assert control_plane.api.get(f"{path}/survivor")["data"] == {"key": "value"}


def test_a_killed_etcd_loses_nothing(control_plane: ControlPlane, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    control_plane.api.create(path, config_map("survivor"))
    control_plane.restart(ETCD)
    assert control_plane.api.get(f"{path}/survivor")["data"] == {"key": "value"}
    control_plane.api.create(path, config_map("successor"))


def test_a_paused_api_server_answers_nobody_until_it_is_resumed(control_plane: ControlPlane, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}"
    control_plane.component(API_SERVER).pause()
    try:
        with pytest.raises(OSError, match="timed out"):
            control_plane.api.request("GET", path, timeout_s=0.5)
    finally:
        control_plane.component(API_SERVER).resume()
    control_plane.wait_ready()
    assert control_plane.api.get(path)["metadata"]["name"] == namespace
