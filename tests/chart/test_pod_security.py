"""The operator's pod passes the restricted Pod Security Standard, whatever the values."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chart.helm import VALUES_FILES, Helm, load_values, of_kind, pod_spec, the

ALLOWED_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
"""https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted"""

pytestmark = pytest.mark.parametrize("file", VALUES_FILES, ids=lambda file: file.stem)


def test_the_pod_is_restricted(helm: Helm, file: Path) -> None:
    pod = pod_spec(helm.render(load_values(file)))
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] != 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    for volume in pod["volumes"]:
        assert volume.keys() - {"name"} <= ALLOWED_VOLUMES


def test_its_container_is_restricted_and_writes_only_to_volumes(helm: Helm, file: Path) -> None:
    (container,) = pod_spec(helm.render(load_values(file)))["containers"]
    context = container["securityContext"]
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert context["readOnlyRootFilesystem"] is True
    assert not context.get("privileged")
    assert not any("hostPort" in port for port in container["ports"])
    assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]


def test_only_the_operator_itself_gets_the_token(helm: Helm, file: Path) -> None:
    manifests = helm.render(load_values(file))
    assert pod_spec(manifests)["automountServiceAccountToken"] is True
    for account in of_kind(manifests, "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False
        assert account["metadata"]["name"] == pod_spec(manifests)["serviceAccountName"]


def test_the_pod_is_watched_by_probes(helm: Helm, file: Path) -> None:
    (container,) = pod_spec(helm.render(load_values(file)))["containers"]
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "probes"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "probes"}
    assert container["resources"]["limits"]["memory"]


def test_labels_of_people_do_not_replace_those_that_select_the_pod(helm: Helm, file: Path) -> None:
    deployment = the(helm.render(load_values(file)), "Deployment")["spec"]
    assert deployment["selector"]["matchLabels"].items() <= deployment["template"]["metadata"]["labels"].items()
