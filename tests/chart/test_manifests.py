"""What the chart renders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.helm import CHART, VALUES_FILES, Helm, load_values, of_kind, pod_spec, the
from tuning_operator.handlers.main import DRAIN_SECONDS, FLUSH_SECONDS, LINGER_SECONDS
from tuning_operator.search.connections import SILENT_SECONDS
from tuning_operator.settings import Settings

CLUSTER_SCOPED = (
    "ClusterRole",
    "ClusterRoleBinding",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
)
TWO_REPLICAS = {"replicas": 2, "database": {"existingSecret": "tuning-database"}}
STOP_SECONDS = 10.0
"""For which the report server waits for its last clients."""
KEEP = {"helm.sh/resource-policy": "keep"}


@pytest.mark.parametrize("file", VALUES_FILES, ids=lambda file: file.stem)
def test_lint_finds_nothing(helm: Helm, file: Path) -> None:
    helm.call("lint", "--strict", str(CHART), "--values", str(file))


@pytest.mark.parametrize("file", VALUES_FILES, ids=lambda file: file.stem)
def test_names_are_unique_within_a_release(helm: Helm, file: Path) -> None:
    manifests = helm.render(load_values(file))
    names = [(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in manifests]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("file", VALUES_FILES, ids=lambda file: file.stem)
def test_every_object_says_which_release_it_belongs_to(helm: Helm, file: Path) -> None:
    for manifest in helm.render(load_values(file), release="blue"):
        if manifest["kind"] != "CustomResourceDefinition":
            assert manifest["metadata"]["labels"]["app.kubernetes.io/instance"] == "blue", manifest["kind"]


@pytest.mark.parametrize("other", [("green", "ops"), ("blue", "team-a")], ids=["another name", "another namespace"])
def test_cluster_scoped_objects_of_two_releases_do_not_collide(helm: Helm, other: tuple[str, str]) -> None:
    first, second = helm.render(release="blue", namespace="ops"), helm.render(None, *other)
    for kind in CLUSTER_SCOPED:
        names = [{each["metadata"]["name"] for each in of_kind(release, kind)} for release in (first, second)]
        assert names[0], kind
        assert not names[0] & names[1], kind


def test_namespaced_objects_name_their_namespace(helm: Helm) -> None:
    for manifest in helm.render():
        if manifest["kind"] not in (*CLUSTER_SCOPED, "CustomResourceDefinition"):
            assert manifest["metadata"]["namespace"] == "ops", manifest["kind"]


def test_the_definition_is_the_generated_one_and_stays_after_an_uninstall(helm: Helm) -> None:
    rendered = the(helm.render(), "CustomResourceDefinition")
    generated = yaml.safe_load((CHART / "files" / "crds" / "tuningstudies.yaml").read_text())
    assert rendered["metadata"].pop("annotations") == KEEP
    assert rendered == generated


def test_a_second_release_can_leave_the_definition_out(helm: Helm) -> None:
    assert not of_kind(helm.render({"crds": {"install": False}}), "CustomResourceDefinition")


def test_the_history_stays_after_an_uninstall_unless_told(helm: Helm) -> None:
    assert the(helm.render(), "PersistentVolumeClaim")["metadata"]["annotations"] == KEEP
    forgotten = the(helm.render({"persistence": {"retain": False}}), "PersistentVolumeClaim")
    assert "annotations" not in forgotten["metadata"]


@pytest.mark.parametrize(
    ("values", "volume"),
    [
        ({}, {"persistentVolumeClaim": {"claimName": "tuning-tuning-operator-history"}}),
        ({"persistence": {"existingClaim": "mine"}}, {"persistentVolumeClaim": {"claimName": "mine"}}),
        ({"persistence": {"enabled": False}}, {"emptyDir": {}}),
    ],
    ids=["a claim of the chart", "an existing claim", "a trial run"],
)
def test_sqlite_lies_on_the_volume_that_was_chosen(helm: Helm, values: dict[str, Any], volume: dict[str, Any]) -> None:
    manifests = helm.render(values)
    assert {"name": "history", **volume} in pod_spec(manifests)["volumes"]
    assert {"name": "history", "mountPath": "/data"} in pod_spec(manifests)["containers"][0]["volumeMounts"]
    assert len(of_kind(manifests, "PersistentVolumeClaim")) == (values == {})


def test_a_database_needs_no_volume(helm: Helm) -> None:
    manifests = helm.render({"database": {"existingSecret": "tuning-database"}})
    assert [volume["name"] for volume in pod_spec(manifests)["volumes"]] == ["tmp"]
    assert not of_kind(manifests, "PersistentVolumeClaim")


def test_two_operators_never_share_a_volume_during_an_update(helm: Helm) -> None:
    deployment = the(helm.render(), "Deployment")["spec"]
    assert deployment["strategy"] == {"type": "Recreate"}
    assert deployment["replicas"] == 1


def test_a_standby_is_there_before_the_active_operator_is_told_to_end(helm: Helm) -> None:
    deployment = the(helm.render(TWO_REPLICAS), "Deployment")["spec"]
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert deployment["replicas"] == 2


def test_two_replicas_are_drained_one_at_a_time_and_prefer_different_nodes(helm: Helm) -> None:
    manifests = helm.render(TWO_REPLICAS)
    labels = the(manifests, "Deployment")["spec"]["selector"]["matchLabels"]
    budget = the(manifests, "PodDisruptionBudget")["spec"]
    assert budget == {"maxUnavailable": 1, "selector": {"matchLabels": labels}}
    (preferred,) = pod_spec(manifests)["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert preferred["podAffinityTerm"]["labelSelector"]["matchLabels"] == labels
    chosen = helm.render({**TWO_REPLICAS, "affinity": {"nodeAffinity": {}}})
    assert pod_spec(chosen)["affinity"] == {"nodeAffinity": {}}


def test_a_single_operator_keeps_no_node_from_being_drained(helm: Helm) -> None:
    assert not of_kind(helm.render(), "PodDisruptionBudget")
    assert "affinity" not in pod_spec(helm.render())


def test_a_pod_has_the_time_that_its_operator_takes_to_leave(helm: Helm) -> None:
    slowest = FLUSH_SECONDS + DRAIN_SECONDS + SILENT_SECONDS + Settings().lease_renew_deadline / 2 + LINGER_SECONDS
    assert pod_spec(helm.render())["terminationGracePeriodSeconds"] > slowest + STOP_SECONDS


def test_the_services_lead_to_ports_of_the_pod(helm: Helm) -> None:
    manifests = helm.render()
    ports = {port["name"] for port in pod_spec(manifests)["containers"][0]["ports"]}
    labels = the(manifests, "Deployment")["spec"]["template"]["metadata"]["labels"]
    for service in of_kind(manifests, "Service"):
        assert service["spec"]["selector"].items() <= labels.items()
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def test_only_trials_of_the_watched_namespaces_may_report(helm: Helm) -> None:
    values = {"watchNamespaces": ["team-a"], "networkPolicy": {"enabled": True}}
    (reports, probes) = the(helm.render(values), "NetworkPolicy")["spec"]["ingress"]
    trials, operators = reports["from"]
    assert operators == {"podSelector": the(helm.render(values), "Deployment")["spec"]["selector"]}
    assert trials["podSelector"]["matchExpressions"] == [{"key": "tuning-operator.io/study-uid", "operator": "Exists"}]
    assert trials["namespaceSelector"]["matchExpressions"][0]["values"] == ["team-a"]
    assert "from" not in probes


def test_a_digest_wins_over_a_tag(helm: Helm) -> None:
    image = {"repository": "mine/operator", "tag": "1.2.3", "digest": f"sha256:{'0' * 64}"}
    assert pod_spec(helm.render({"image": image}))["containers"][0]["image"] == f"mine/operator@sha256:{'0' * 64}"


def test_a_name_that_is_too_long_is_cut_for_services(helm: Helm) -> None:
    for service in of_kind(helm.render(release="a" * 53), "Service"):
        assert len(service["metadata"]["name"]) <= 63
