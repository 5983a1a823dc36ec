"""`tuning trials NAME` and `tuning best NAME`: studies of a cluster."""

from __future__ import annotations

import json

import pytest

from tests.cli.api_server import ApiServer
from tests.cli.workplace import Workplace


def test_all_trials_are_read_page_by_page_through_the_service_proxy(workplace: Workplace, server: ApiServer) -> None:
    called = workplace.call("trials", "quick", "-o", "json")
    assert called.status == 0, called.err
    assert json.loads(called.out) == server.trials
    assert [page["after"] for page in server.pages] == ["-1", "1", "3"]


def test_the_table_is_that_of_a_local_study(workplace: Workplace, server: ApiServer) -> None:
    lines = workplace.call("trials", "quick").out.splitlines()
    assert lines[0].split() == ["#", "state", "score", "time", "x", "kind"]
    assert "★ best" in lines[-1]


def test_the_best_trial_needs_the_status_alone(workplace: Workplace, server: ApiServer) -> None:
    server.refusals["/proxy/"] = 403
    found = json.loads(workplace.call("best", "quick", "-o", "json").out)
    assert (found["number"], found["value"], found["parameters"]) == (4, 4.0, {"x": 0.4, "kind": "a"})
    assert found["log"] == "kubectl logs -n team job/quick-1234-4-1"


def test_the_front_of_several_objectives_is_that_of_the_status(workplace: Workplace, server: ApiServer) -> None:
    study = server.studies["team/quick"]
    study["spec"]["objectives"].append({"metric": "size", "direction": "Minimize"})
    trial = {"number": 4, "values": {"score": 4.0, "size": 2.0}, "parameters": {"x": 0.4}, "job": "quick-1234-4-1"}
    study["status"] = {"phase": "Running", "front": [trial], "frontSize": 9}
    found = json.loads(workplace.call("best", "quick", "-o", "json").out)
    assert (found["frontSize"], found["front"][0]["values"]) == (9, {"score": 4.0, "size": 2.0})
    assert found["front"][0]["log"] == "kubectl logs -n team job/quick-1234-4-1"
    assert "and 8 more, between these" in workplace.call("best", "quick").out


def test_the_namespace_can_be_named(workplace: Workplace, server: ApiServer) -> None:
    server.studies["lab/quick"] = server.studies.pop("team/quick")
    assert workplace.call("best", "quick", "-n", "lab").status == 0
    called = workplace.call("best", "quick")
    assert called.status == 1
    assert "there is no TuningStudy quick in the namespace team" in called.err


def test_the_operators_service_can_be_named_by_option_and_by_variable(
    workplace: Workplace, server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.service = "ops/tuner:reports"
    called = workplace.call("trials", "quick")
    assert called.status == 1
    assert "no Service tuning-operator/tuning-operator of the operator; name it with --operator-service" in called.err
    assert workplace.call("trials", "quick", "--operator-service", "ops/tuner").status == 0
    monkeypatch.setenv("TUNING_SERVICE", "ops/tuner")
    assert workplace.call("trials", "quick").status == 0


def test_the_operators_service_is_found_by_the_charts_labels(workplace: Workplace, server: ApiServer) -> None:
    server.service = "ops/tuner:reports"
    server.labelled = ["ops/tuner"]
    assert workplace.call("trials", "quick").status == 0
    server.labelled.append("lab/tuner")
    called = workplace.call("trials", "quick")
    assert called.status == 1
    assert "there are several operators (ops/tuner, lab/tuner)" in called.err


def test_a_service_with_a_certificate_is_asked_by_https(workplace: Workplace, server: ApiServer) -> None:
    server.service, server.protocol, server.labelled = "ops/https:tuner:reports", "https", ["ops/tuner"]
    assert workplace.call("trials", "quick").status == 0
    assert workplace.call("trials", "quick", "--operator-service", "ops/https:tuner").status == 0


def test_whoever_may_not_list_services_gets_the_default_one(workplace: Workplace, server: ApiServer) -> None:
    server.refusals["/api/v1/services"] = 403
    assert workplace.call("trials", "quick").status == 0


def test_a_service_that_is_not_named_so_is_told(workplace: Workplace, server: ApiServer) -> None:
    called = workplace.call("trials", "quick", "--operator-service", "tuner")
    assert called.status == 2
    assert "write NAMESPACE/NAME" in called.err


@pytest.mark.parametrize(
    ("part", "status", "sentence"),
    [
        ("tuningstudies", 403, "the server says 403"),
        ("/proxy/", 403, "the trials can't be read through the Service"),
        ("/proxy/", 503, "the operator does not answer through its Service"),
    ],
)
def test_refusals_are_sentences(workplace: Workplace, server: ApiServer, part: str, status: int, sentence: str) -> None:
    server.refusals[part] = status
    called = workplace.call("trials", "quick")
    assert called.status == 1
    assert sentence in called.err
    assert "Traceback" not in called.err


def test_a_study_that_the_operator_has_not_seen_is_told(workplace: Workplace, server: ApiServer) -> None:
    del server.studies["team/quick"]["status"]
    called = workplace.call("trials", "quick")
    assert called.status == 1
    assert "the operator has not looked at the study team/quick yet" in called.err
    called = workplace.call("best", "quick")
    assert called.status == 1
    assert called.err == "error: no trial of the study quick is complete yet\n"


def test_no_kubeconfig_is_a_sentence(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(workplace.path / "nowhere"))
    called = workplace.call("best", "quick")
    assert called.status == 1
    assert "set KUBECONFIG to a kubeconfig file" in called.err


def test_a_server_that_does_not_answer_is_a_sentence(
    workplace: Workplace, server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.address = "http://127.0.0.1:9"  # the port of the discard service, where nobody listens
    monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(workplace.path / "kubeconfig", "team")))
    called = workplace.call("best", "quick")
    assert called.status == 1
    assert called.err.startswith("error: ")
    assert "Traceback" not in called.err
