"""Reports by TLS with pods' own tokens: an installed operator, the Job controller's pods, the API server's signatures.

Tests take the kubelet's part: they ask for the token that it would put into the pod.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.chart.helm import Helm
from tests.control_plane.operator_process import InstalledOperator, wait_for
from tests.control_plane.studies import Studies
from tests.support.certificates import write_serving_certificate
from tests.support.control_plane import ControlPlane
from tuning_contract import Report, ReportBatch, ReportReply
from tuning_operator.cluster.token_issuer import DISCOVERY, KEYS
from tuning_trainer.endpoint import EndpointUnavailable, ReportEndpoint, RequestRefused

NOWHERE = {"nodeSelector": {"example.com/nowhere": "true"}, "containers": [{"name": "trainer", "image": "trainer:1"}]}
"""A pod that no node takes, so that it stays."""
REPORT = ReportBatch((Report(1, {"score": 0.5}),)).to_json()


@pytest.fixture(scope="module")
def operator(
    control_plane: ControlPlane,
    helm: Helm,
    study_definition: None,
    studies: Studies,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[InstalledOperator]:
    """An operator with a certificate that asks for ServiceAccount tokens."""
    folder = tmp_path_factory.mktemp("operator")
    made = write_serving_certificate(folder / "made", "made")
    for file, name in zip(made, ("tls.crt", "tls.key", "ca.crt"), strict=True):
        file.rename(folder / "made" / name)
    settings = {
        "TUNING_OPERATOR_REPORT_AUTHENTICATION": "ServiceAccountToken",
        "TUNING_OPERATOR_REPORT_CERTIFICATE_FOLDER": str(folder / "made"),
    }
    installed = InstalledOperator(control_plane, helm, studies.namespace, folder, settings=settings, https=True)
    installed.start()
    try:
        installed.wait_ready()
        yield installed
    finally:
        installed.terminate()


@dataclass(frozen=True)
class TrialPod:
    """A pod of a trial, as the Job controller made it."""

    studies: Studies
    control_plane: ControlPlane
    document: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.document["metadata"]["name"])

    @property
    def variables(self) -> dict[str, str]:
        (container,) = self.document["spec"]["containers"]
        return {variable["name"]: variable["value"] for variable in container["env"]}

    @property
    def audience(self) -> str:
        sources = [s for v in self.document["spec"]["volumes"] for s in v.get("projected", {}).get("sources", ())]
        (source,) = [source["serviceAccountToken"] for source in sources]
        return str(source["audience"])

    def token(self, audience: str = "", bound: bool = True) -> str:
        """Ask for a token of the pod's account, by default as the kubelet does."""
        metadata = self.document["metadata"]
        pod = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
        spec = {"audiences": [audience or self.audience], "expirationSeconds": 600}
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {**spec, **({"boundObjectRef": pod} if bound else {})},
        }
        path = f"/api/v1/namespaces/{self.studies.namespace}/serviceaccounts/default/token"
        return str(self.control_plane.api.create(path, request)["status"]["token"])

    def report(self, token: str, folder: Path) -> ReportReply:
        """Report as the SDK in the pod would."""
        file = folder / "token"
        file.write_text(token)
        url, ca = self.variables["TUNING_REPORT_URL"], self.variables["TUNING_REPORT_CA"]
        endpoint = ReportEndpoint(url, token_file=str(file), ca=ca)
        try:
            return endpoint.post(REPORT)
        finally:
            endpoint.close()


@pytest.fixture(scope="module")
def pods(control_plane: ControlPlane, studies: Studies, operator: InstalledOperator) -> list[TrialPod]:
    """The pods of two trials, in the order of the trials."""
    studies.apply("tokens", "pass", maxTrials=2, parallelism=2, trial={"template": {"spec": NOWHERE}})
    uid = studies.get("tokens")["metadata"]["uid"]

    def listed() -> list[dict[str, Any]]:
        return sorted(studies.pods_of(uid), key=lambda pod: str(pod["metadata"]["labels"]["tuning-operator.io/trial"]))

    wait_for(lambda: len(listed()) == 2, 60, operator.log)
    return [TrialPod(studies, control_plane, document) for document in listed()]


def test_a_pod_reports_with_its_own_token(
    pods: list[TrialPod], studies: Studies, operator: InstalledOperator, tmp_path: Path
) -> None:
    assert pods[0].report(pods[0].token(), tmp_path) == ReportReply()
    wait_for(lambda: studies.status("tokens").get("trials", {}).get("running") == 1, 30, operator.log)


def test_the_pod_carries_no_credential_that_its_readers_could_use(pods: list[TrialPod]) -> None:
    assert "TUNING_REPORT_TOKEN" not in pods[0].variables
    assert pods[0].variables["TUNING_REPORT_TOKEN_FILE"]
    assert pods[0].audience.startswith("https://")


def test_the_token_of_another_trials_pod_is_refused(pods: list[TrialPod], tmp_path: Path) -> None:
    with pytest.raises(RequestRefused, match=f"status 403: .*{pods[1].name}, which does not run this attempt"):
        pods[0].report(pods[1].token(), tmp_path)


def test_a_token_for_somebody_else_is_refused(pods: list[TrialPod], tmp_path: Path) -> None:
    with pytest.raises(EndpointUnavailable, match=r"status 401: .*Audience"):
        pods[0].report(pods[0].token(audience="https://kubernetes.default.svc"), tmp_path)


def test_a_token_of_the_account_alone_is_refused(pods: list[TrialPod], tmp_path: Path) -> None:
    with pytest.raises(EndpointUnavailable, match=r"status 401: .*not bound to a pod"):
        pods[0].report(pods[0].token(bound=False), tmp_path)


def test_keys_are_asked_for_once_and_with_no_right_of_the_chart(
    pods: list[TrialPod], control_plane: ControlPlane, operator: InstalledOperator, tmp_path: Path
) -> None:
    """Kubernetes itself lets every ServiceAccount read them."""
    for pod in pods:
        pod.report(pod.token(), tmp_path)
    asked = [event for event in control_plane.audit_log.events(user=operator.user) if event.uri in (DISCOVERY, KEYS)]
    assert [(event.uri, event.code) for event in asked] == [(DISCOVERY, 200), (KEYS, 200)]
    assert not [event for event in control_plane.audit_log.events(user=operator.user) if event.code == 403]
