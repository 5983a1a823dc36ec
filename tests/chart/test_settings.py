"""What the chart tells the operator is what the operator understands."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from tests.chart.helm import CHART, VALUES_FILES, Helm, load_values, of_kind, pod_spec, the
from tuning_operator.settings import PREFIX, Settings

FROM_ELSEWHERE = {
    "metadata.name": "operator-6d4cf56db6-x7k2p",
    "metadata.namespace": "ops",
    "status.podIP": "fd00::7",
    "spec.nodeName": "node",
    "uri": "postgresql://tuning@database/tuning",
}
"""What the kubelet puts in for a field or a Secret's key."""

WITH_DATABASE = {"database": {"existingSecret": "tuning-database", "key": "uri"}}


def _environment(helm: Helm, values: dict[str, Any] | None = None) -> dict[str, str]:
    """The operator's environment as its process sees it."""
    (container,) = pod_spec(helm.render(values))["containers"]
    return {each["name"]: each["value"] if "value" in each else _elsewhere(each) for each in container["env"]}


def _elsewhere(variable: dict[str, Any]) -> str:
    (source,) = variable["valueFrom"].values()
    return FROM_ELSEWHERE[source.get("fieldPath") or source["key"]]


@pytest.mark.parametrize("file", VALUES_FILES, ids=lambda file: file.stem)
def test_every_variable_is_a_setting_with_a_value_of_its_type(helm: Helm, file: Path) -> None:
    Settings.from_environment(_environment(helm, load_values(file)))


def test_the_settings_name_the_objects_of_the_release(helm: Helm) -> None:
    manifests = helm.render()
    settings = Settings.from_environment(_environment(helm))
    service = next(each for each in of_kind(manifests, "Service") if each["spec"]["ports"][0]["name"] == "reports")
    port = service["spec"]["ports"][0]["port"]
    assert settings.report_url == f"http://{service['metadata']['name']}.ops.svc:{port}"
    assert settings.lease_namespace == "ops"
    assert settings.lease_name == "tuning-tuning-operator"
    assert settings.holder == FROM_ELSEWHERE["metadata.name"]
    ports = {each["name"]: each["containerPort"] for each in pod_spec(manifests)["containers"][0]["ports"]}
    assert ports == {"reports": settings.report_port, "probes": settings.probe_port}


def test_with_a_certificate_reports_travel_encrypted(helm: Helm) -> None:
    values = {"reports": {"tls": {"secretName": "tuning-reports-tls"}}}
    settings = Settings.from_environment(_environment(helm, values))
    assert settings.report_url == "https://tuning-tuning-operator.ops.svc:8080"
    spec = pod_spec(helm.render(values))
    (mount,) = [
        m for m in spec["containers"][0]["volumeMounts"] if m["mountPath"] == settings.report_certificate_folder
    ]
    assert {"name": mount["name"], "secret": {"secretName": "tuning-reports-tls"}} in spec["volumes"]
    assert mount["readOnly"] is True


def test_sqlite_lies_on_the_mounted_volume(helm: Helm) -> None:
    assert Settings.from_environment(_environment(helm)).storage_url == "sqlite:////data/tuning.db"


def test_the_url_of_a_database_comes_from_the_secret_alone(helm: Helm) -> None:
    assert Settings.from_environment(_environment(helm, WITH_DATABASE)).storage_url == FROM_ELSEWHERE["uri"]
    assert "sqlite" not in json.dumps(the(helm.render(WITH_DATABASE), "Deployment"))


def test_replicas_of_one_database_reach_each_other_at_the_pods_addresses(helm: Helm) -> None:
    settings = Settings.from_environment(_environment(helm, WITH_DATABASE))
    assert settings.own_report_url(settings.report_port) == "http://[fd00::7]:8080"
    assert Settings.from_environment(_environment(helm)).own_report_url(8080) == ""


def test_namespaces_arrive_as_they_were_listed(helm: Helm) -> None:
    assert Settings.from_environment(_environment(helm)).namespaces == ()
    listed = Settings.from_environment(_environment(helm, {"watchNamespaces": ["team-a", "team-b"]}))
    assert listed.namespaces == ("team-a", "team-b")


def test_numbers_arrive_as_they_were_written(helm: Helm) -> None:
    values = {"settings": {"relistSeconds": 1_000_000, "coalesceSeconds": 0, "leaseRenewDeadline": 7.5}}
    settings = Settings.from_environment(_environment(helm, values))
    assert settings.relist_seconds == 1_000_000
    assert settings.coalesce_seconds == 0
    assert settings.lease_renew_deadline == 7.5


def test_what_is_not_set_keeps_the_operators_default(helm: Helm) -> None:
    assert Settings.from_environment(_environment(helm)).resync_seconds == Settings().resync_seconds


def test_every_setting_is_either_the_charts_own_or_a_value(helm: Helm) -> None:
    tls = {"reports": {"tls": {"secretName": "tuning-reports-tls"}}}
    values = {"settings": {"logFormat": None}, **WITH_DATABASE, **tls}
    own = {name.removeprefix(PREFIX).lower() for name in _environment(helm, values)}
    schema = json.loads((CHART / "values.schema.json").read_text())
    given = {re.sub("([A-Z])", r"_\1", name).lower() for name in schema["properties"]["settings"]["properties"]}
    assert own | given | {"report_host"} == {field.name for field in fields(Settings)}
    assert not own & given


def test_variables_that_kubernetes_makes_of_services_stay_away(helm: Helm) -> None:
    # A Service called tuning-operator would become TUNING_OPERATOR_PORT, which is no setting.
    assert pod_spec(helm.render())["enableServiceLinks"] is False
