"""What the operator and people may do with the Roles of the chart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chart.helm import VALUES_FILES, Helm, Manifest, load_values, of_kind, the
from tests.support.rights import granted


def operator_roles(manifests: list[Manifest]) -> Iterator[Manifest]:
    """The roles that are bound to the operator's ServiceAccount."""
    account = the(manifests, "ServiceAccount")["metadata"]["name"]
    for binding in [*of_kind(manifests, "RoleBinding"), *of_kind(manifests, "ClusterRoleBinding")]:
        if binding["subjects"] == [{"kind": "ServiceAccount", "name": account, "namespace": "ops"}]:
            wanted = binding["roleRef"]["name"], binding["metadata"].get("namespace")
            yield from (
                role
                for role in of_kind(manifests, binding["roleRef"]["kind"])
                if (role["metadata"]["name"], role["metadata"].get("namespace")) == wanted
            )


@pytest.mark.parametrize("file", VALUES_FILES, ids=lambda file: file.stem)
def test_no_role_has_a_wildcard_or_reads_secrets(helm: Helm, file: Path) -> None:
    manifests = helm.render(load_values(file))
    for role in [*of_kind(manifests, "Role"), *of_kind(manifests, "ClusterRole")]:
        for rule in role["rules"]:
            words = [word for key in ("apiGroups", "resources", "verbs") for word in rule[key]]
            assert "*" not in words
            assert "secrets" not in words
            assert not {"escalate", "bind", "impersonate"} & set(words)


def test_the_operator_can_neither_change_specs_nor_run_in_pods(helm: Helm) -> None:
    rights = granted(operator_roles(helm.render()))
    assert {verb for _, resource, verb in rights if resource == "tuningstudies"} == {"list", "watch"}
    assert {verb for _, resource, verb in rights if resource == "pods"} == {"list"}
    assert ("batch", "jobs", "create") in rights
    assert not [right for right in rights if right[1] == "pods/exec"]


def test_with_a_list_of_namespaces_the_operator_has_no_right_in_the_whole_cluster(helm: Helm) -> None:
    manifests = helm.render({"watchNamespaces": ["team-a", "team-b"]})
    assert not of_kind(manifests, "ClusterRoleBinding")
    namespaces = [role["metadata"]["namespace"] for role in operator_roles(manifests)]
    assert sorted(namespaces) == ["ops", "team-a", "team-b"]


def test_a_list_of_namespaces_gives_the_same_rights_as_the_whole_cluster(helm: Helm) -> None:
    everywhere = granted(operator_roles(helm.render()))
    assert granted(operator_roles(helm.render({"watchNamespaces": ["team-a"]}))) == everywhere


def test_the_operator_uses_no_lease_but_its_own(helm: Helm) -> None:
    manifests = helm.render()
    rules = [rule for role in operator_roles(manifests) for rule in role["rules"] if "leases" in rule["resources"]]
    named = [rule for rule in rules if "resourceNames" in rule]
    assert all(rule["verbs"] == ["create"] for rule in rules if rule not in named)
    assert named[0]["resourceNames"] == ["tuning-tuning-operator"]


def test_a_viewer_reads_studies_and_reaches_only_the_one_service(helm: Helm) -> None:
    manifests = helm.render()
    (viewer,) = [each for each in of_kind(manifests, "ClusterRole") if "-viewer" in each["metadata"]["name"]]
    assert granted([viewer]) == {("tuning-operator.io", "tuningstudies", verb) for verb in ("get", "list", "watch")}
    (proxy,) = [each for each in of_kind(manifests, "Role") if each["metadata"]["name"].endswith("-viewer")]
    (rule,) = proxy["rules"]
    assert rule["verbs"] == ["get"]
    service = of_kind(manifests, "Service")[0]["metadata"]["name"]
    assert all(service in name.split(":") for name in rule["resourceNames"])
    encrypted = helm.render({"reports": {"tls": {"secretName": "tuning-reports-tls"}}})
    (proxy,) = [each for each in of_kind(encrypted, "Role") if each["metadata"]["name"].endswith("-viewer")]
    assert proxy["rules"][0]["resourceNames"] == [f"https:{service}:reports", f"https:{service}:8080"]


def test_readers_are_bound_to_the_viewers_role(helm: Helm) -> None:
    readers = [{"kind": "Group", "name": "data-scientists", "apiGroup": "rbac.authorization.k8s.io"}]
    bindings = of_kind(helm.render({"rbac": {"readers": readers}}), "RoleBinding")
    (binding,) = [each for each in bindings if each["subjects"] == readers]
    assert binding["roleRef"]["name"] == "tuning-tuning-operator-viewer"


@pytest.mark.parametrize("aggregate", [True, False])
def test_studies_join_the_roles_of_kubernetes_only_when_wanted(helm: Helm, aggregate: bool) -> None:
    values: dict[str, Any] = {"rbac": {"aggregate": aggregate}}
    labels = [label for role in of_kind(helm.render(values), "ClusterRole") for label in role["metadata"]["labels"]]
    assert any("aggregate-to" in label for label in labels) is aggregate


def test_without_roles_nothing_is_bound_to_the_operator(helm: Helm) -> None:
    assert not list(operator_roles(helm.render({"rbac": {"create": False}})))
