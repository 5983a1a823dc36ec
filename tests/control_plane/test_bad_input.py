"""What a user sees for each mistake, and that nothing else suffers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chart.helm import Helm
from tests.control_plane.operator_process import InstalledOperator, wait_for
from tests.control_plane.studies import Studies
from tests.support.control_plane import ControlPlane, KubectlFailed
from tests.support.rights import granted, right_of
from tuning_operator.api.names import job_name

REPORT = """
trial = tuning.current_trial()
trial.report({"score": trial.parameters["x"]}, step=1)
"""


ONE = {"maxTrials": 1, "parallelism": 1}


@pytest.fixture(scope="module", autouse=True)
def mistaken(studies: Studies, operator: InstalledOperator) -> None:
    """The studies with mistakes, started at once: they wait for the same deadlines side by side."""
    studies.apply("crash", "tuning.current_trial()\nimport no_such_module", **ONE)
    studies.apply("exit", "raise SystemExit(3)", **ONE)
    studies.apply("other-metric", "tuning.current_trial().report({'accuracy': 1.0}, step=1)", **ONE)
    studies.apply("nothing", "pass", **ONE)
    studies.apply("nan", "tuning.current_trial().report({'score': float('nan')}, step=1)", **ONE)
    stopping = {"failedTrials": {"consecutive": 2}}
    studies.apply("failing", "raise SystemExit(1)", maxTrials=50, parallelism=1, stopping=stopping)
    studies.apply("no-image", REPORT, trial=late_pod(image="registry.invalid/does-not-exist:1"), **ONE)
    studies.apply("no-account", REPORT, trial=late_pod(serviceAccountName="nobody"), **ONE)
    studies.apply("bad-template", REPORT, trial={"template": template(imagePulPolicy="Never")})
    studies.apply("bad-option", REPORT, search={"sampler": {"name": "TPE", "options": {"startupTrials": 5}}})
    studies.apply("bad-constraint", REPORT, constraints=["x * 2 < 1.0 || y > 3"])
    studies.apply("no-source", REPORT, search={"sampler": {"name": "TPE"}, "warmStart": [{"study": "nowhere"}]})
    studies.apply("infeasible", REPORT, constraints=["x > 99.0"])
    prints = template(command=["python", "-c", "print('score=0.5')"])
    studies.apply("printed", "", trial={"metrics": {"source": "Logs"}, "template": prints})
    studies.apply("good", REPORT)


@pytest.fixture(scope="module", autouse=True)
def taken(mistaken: None, studies: Studies) -> tuple[str, str]:
    """The name of a Job that was somebody else's, and what its study said; half a minute later it is tried again."""
    studies.apply("taken", REPORT, suspend={"enabled": True})
    studies.wait("taken", "Suspended")
    name = job_name("taken", studies.get("taken")["metadata"]["uid"], 0, 1)
    studies.kubectl("create", "job", name, "--image=registry.invalid/does-not-exist:1")
    studies.patch("taken", {"suspend": {"enabled": False}})
    message = str(studies.wait("taken", "Degraded")["message"])
    studies.kubectl("delete", "job", name)
    return name, message


def late_pod(image: str = "trainer:1", **pod: str) -> dict[str, Any]:
    """Return a study's `trial` whose pod has a few seconds to start."""
    return {"deadlines": {"start": "15s"}, "template": {"spec": {**template(image=image)["spec"], **pod}}}


def template(**container: Any) -> dict[str, Any]:
    """Return a pod template with these fields of its container."""
    return {"spec": {"containers": [{"name": "trainer", "image": "trainer:1", "command": ["python"], **container}]}}


def failure(studies: Studies, name: str) -> dict[str, str]:
    """Wait until a study failed; return its newest trial."""
    studies.wait(name, "Failed")
    recent: list[dict[str, str]] = studies.status(name)["recent"]
    return recent[0]


def test_a_small_study_succeeds(studies: Studies) -> None:
    studies.wait("good", "Complete")
    assert studies.status("good")["trials"]["complete"] == 3


def test_a_script_that_crashes_at_import_fails_its_trials_with_the_error(studies: Studies) -> None:
    last = failure(studies, "crash")
    assert last["reason"] == "Error"
    assert "no_such_module" in last["message"]


def test_a_container_that_knows_nothing_of_reports_fails_with_its_exit_code(studies: Studies) -> None:
    last = failure(studies, "exit")
    assert last["reason"] == "Error"
    assert "exited with code 3" in last["message"]


def test_another_metric_than_the_objective_is_named(studies: Studies) -> None:
    last = failure(studies, "other-metric")
    assert last["reason"] == "NoObjective"
    assert "`score`: it reported accuracy" in last["message"]


def test_no_report_at_all_is_said_so(studies: Studies) -> None:
    last = failure(studies, "nothing")
    assert last["reason"] == "NoObjective"
    assert "it reported nothing" in last["message"]


def test_nan_fails_the_trial_by_that_name(studies: Studies) -> None:
    assert failure(studies, "nan")["reason"] == "NotFinite"


def test_failures_in_a_row_end_the_study_and_announce_it(studies: Studies) -> None:
    condition = studies.wait("failing", "Failed")
    assert condition["reason"] == "TooManyFailedTrials"
    assert studies.status("failing")["trials"]["total"] == 2
    wait_for(
        lambda: "TooManyFailedTrials" in dict(studies.events("failing")), 30, lambda: str(studies.events("failing"))
    )


def test_a_template_that_the_api_server_refuses_starts_nothing(studies: Studies) -> None:
    condition = studies.wait("bad-template", "Accepted", status="False")
    assert condition["reason"] == "JobRefused"
    assert "imagePulPolicy" in condition["message"]
    assert studies.status("bad-template")["phase"] == "Refused"
    assert studies.jobs("bad-template") == []


def test_what_only_the_operator_can_say_is_said_in_the_status(studies: Studies) -> None:
    condition = studies.wait("bad-option", "Accepted", status="False")
    assert condition["reason"] == "InvalidSpec"
    assert "startupTrials" in condition["message"]
    assert "nStartupTrials" in condition["message"]


def test_a_constraint_on_no_parameter_is_refused_and_starts_nothing(studies: Studies) -> None:
    accepted = studies.wait("bad-constraint", "Accepted", status="False")
    assert "names `y`, which is not in `parameters`" in accepted["message"]
    assert studies.jobs("bad-constraint") == []


def test_a_warm_start_from_a_missing_study_is_refused_and_starts_nothing(studies: Studies) -> None:
    accepted = studies.wait("no-source", "Accepted", status="False")
    assert "`search.warmStart[0]`: the study nowhere is not in the storage" in accepted["message"]
    assert studies.jobs("no-source") == []
    studies.patch("no-source", {"search": {"warmStart": [{"study": "good"}]}})
    accepted = studies.wait("no-source", "Accepted")
    assert "complete trials of the study good are used" in accepted["message"]
    assert "WarmStarted" in dict(studies.events("no-source"))


def test_constraints_that_no_point_meets_end_the_study_without_a_job_until_they_are_corrected(studies: Studies) -> None:
    failed = studies.wait("infeasible", "Failed")
    assert failed["reason"] == "NoFeasiblePoint"
    assert "violate x > 99.0" in failed["message"]
    assert studies.jobs("infeasible") == []
    studies.patch("infeasible", {"constraints": ["x > 0.5"]})
    studies.wait("infeasible", "Complete")
    assert all(trial["parameters"]["x"] > 0.5 for trial in studies.status("infeasible")["recent"])


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"maxTrial": 3}, 'unknown field "spec.maxTrial"'),
        ({"maxTrials": "many"}, "spec.maxTrials"),
        ({"parameters": []}, "spec.parameters"),
        ({"parameters": [{"name": "x", "type": "Float", "low": 2, "high": 1}]}, "low"),
        ({"parameters": [{"name": "x", "type": "Float", "low": 0, "high": 1, "scale": "Log"}]}, "low"),
        ({"parameters": [{"name": "x", "type": "Fixed", "value": 1}, {"name": "x", "type": "Fixed", "value": 2}]}, "x"),
        ({"parallelism": 9}, "parallelism"),
    ],
)
def test_kubectl_refuses_a_wrong_study_with_a_sentence(studies: Studies, spec: dict[str, object], words: str) -> None:
    with pytest.raises(KubectlFailed, match=words):
        studies.apply("wrong", REPORT, **spec)


def test_a_study_deleted_while_it_runs_takes_its_jobs_along_and_harms_nobody(
    studies: Studies, operator: InstalledOperator
) -> None:
    studies.apply("deleted", "import time\n" + REPORT + "time.sleep(600)", maxTrials=2, parallelism=2)
    wait_for(lambda: studies.status("deleted").get("trials", {}).get("running") == 2, 60, operator.log)
    uid = studies.get("deleted")["metadata"]["uid"]
    studies.kubectl("delete", "tuningstudy", "deleted", "--timeout=30s")
    wait_for(lambda: studies.jobs_of(uid) == [], 60, lambda: str(studies.jobs_of(uid)))
    studies.apply("after-deletion", REPORT)
    studies.wait("after-deletion", "Complete")


def test_a_poisoned_study_does_not_stop_the_others(studies: Studies) -> None:
    studies.apply("poisoned", REPORT)
    annotations = ["kopf.zalando.org/last-handled-configuration={", "tuning-operator.io/study={{{"]
    studies.kubectl("annotate", "tuningstudy", "poisoned", *annotations)
    studies.wait("poisoned", "Complete")


def test_a_container_without_the_sdk_may_print_its_metrics(studies: Studies) -> None:
    studies.wait("printed", "Complete")
    assert studies.status("printed")["best"]["value"] == 0.5


def test_suspend_resume_and_edits_act_on_a_running_study(studies: Studies, operator: InstalledOperator) -> None:
    studies.apply("edited", "import time\n" + REPORT + "time.sleep(2)", maxTrials=4, parallelism=1)
    wait_for(lambda: studies.status("edited").get("trials", {}).get("running") == 1, 60, operator.log)
    studies.patch("edited", {"suspend": {"enabled": True, "mode": "Terminate"}})
    studies.wait("edited", "Suspended")
    wait_for(lambda: studies.status("edited")["trials"]["waiting"] == 1, 30, operator.log)
    studies.patch("edited", {"suspend": {"enabled": False}, "parallelism": 4})
    studies.wait("edited", "Complete")
    assert studies.status("edited")["trials"]["complete"] == 4


def test_an_image_that_cant_be_pulled_fails_by_the_start_deadline_with_the_reason(studies: Studies) -> None:
    last = failure(studies, "no-image")
    assert last["reason"] == "ImageProblem"
    assert "does-not-exist" in last["message"]
    assert "ImagePull" in last["message"]


def test_a_missing_service_account_fails_by_the_start_deadline_with_the_reason(studies: Studies) -> None:
    last = failure(studies, "no-account")
    assert last["reason"] == "StartDeadlineExceeded"
    assert "nobody" in last["message"]


def test_a_name_taken_by_somebody_elses_job_degrades_the_study_until_it_is_free(
    studies: Studies, taken: tuple[str, str]
) -> None:
    name, message = taken
    assert name in message
    studies.wait("taken", "Complete")
    assert studies.status("taken")["trials"]["complete"] == 3


def test_a_second_operator_stands_by_until_the_first_one_leaves(
    studies: Studies, operator: InstalledOperator, standby: InstalledOperator
) -> None:
    standby.start()
    standby.wait_ready()
    assert "tuning_active_leader 0.0" in standby.metrics()
    assert "tuning_active_leader 1.0" in operator.metrics()
    operator.terminate()
    try:
        wait_for(lambda: "tuning_active_leader 1.0" in standby.metrics(), 60, standby.log)
        studies.apply("taken-over", REPORT)
        studies.wait("taken-over", "Complete")
    finally:
        standby.terminate()
        operator.start()
        operator.wait_ready()


def test_the_chart_grants_what_was_used_here_and_nothing_else(
    control_plane: ControlPlane, helm: Helm, operator: InstalledOperator
) -> None:
    """Of all requests of this file's operator; it comes last."""
    requests = list(control_plane.audit_log.events(user=operator.user))
    used = {right_of(event) for event in requests if event.code < 400 or event.code == 409}
    assert {right_of(event) for event in requests if event.code == 403} == set(), "more rights were asked for"
    assert granted(operator.roles) - used == set(), "these rights are never used"
