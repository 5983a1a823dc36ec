"""What a trial's pod can write to."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders import STUDY, spec, trial
from tuning_operator.decisions.report_access import ReportAccess
from tuning_operator.decisions.trial_job import trial_job
from tuning_operator.decisions.trials import NO_LINEAGE, Lineage

CHECKPOINTS = {"claimName": "shared", "path": "/data/checkpoints"}


def pod(
    checkpoints: dict[str, str] | None = None,
    attempt: int = 1,
    volumes: Any = None,
    lineage: Lineage = NO_LINEAGE,
    **container: Any,
) -> dict[str, Any]:
    """Return the pod spec of trial 7's Job."""
    template = {"spec": {"containers": [{"name": "trainer", "image": "trainer:1", **container}], "volumes": volumes}}
    made = trial_job(
        STUDY,
        spec(trial={"template": template, "checkpoints": checkpoints}),
        trial(7, attempt=attempt, lineage=lineage),
        ReportAccess("http://operator", "secret"),
    )
    found: dict[str, Any] = made["spec"]["template"]["spec"]
    return found


def variables(pod: dict[str, Any]) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in pod["containers"][0]["env"]}


def mounts(pod: dict[str, Any]) -> dict[str, str]:
    """Return the mounts' volumes by path."""
    return {mount["mountPath"]: mount["name"] for mount in pod["containers"][0].get("volumeMounts") or ()}


def test_the_whole_claim_is_mounted_and_the_trial_has_its_own_directory_in_it() -> None:
    made = pod(CHECKPOINTS)
    assert made["volumes"] == [{"name": "tuning-checkpoints", "persistentVolumeClaim": {"claimName": "shared"}}]
    assert mounts(made) == {"/data/checkpoints": "tuning-checkpoints"}
    assert variables(made)["TUNING_CHECKPOINT_DIR"] == "/data/checkpoints/team-a/digits-11112222/7"


def test_a_first_attempt_starts_afresh_and_a_further_one_goes_on_from_the_same_directory() -> None:
    first, second = variables(pod(CHECKPOINTS)), variables(pod(CHECKPOINTS, attempt=2))
    assert "TUNING_RESUME_FROM" not in first
    assert second["TUNING_RESUME_FROM"] == second["TUNING_CHECKPOINT_DIR"] == first["TUNING_CHECKPOINT_DIR"]


@pytest.mark.parametrize("attempt", [1, 2])
def test_a_child_goes_on_from_its_parents_directory_as_long_as_its_own_is_empty(attempt: int) -> None:
    child = variables(pod(CHECKPOINTS, attempt, lineage=Lineage(parent=3, budget=27)))
    assert child["TUNING_RESUME_FROM"] == "/data/checkpoints/team-a/digits-11112222/3"
    assert child["TUNING_CHECKPOINT_DIR"] == "/data/checkpoints/team-a/digits-11112222/7"
    assert child["TUNING_BUDGET"] == "27"


def test_a_child_that_inherits_nothing_starts_afresh_and_then_goes_on_from_its_own_directory() -> None:
    lineage = Lineage(parent=3, inherits=False)
    assert "TUNING_RESUME_FROM" not in variables(pod(CHECKPOINTS, lineage=lineage))
    again = variables(pod(CHECKPOINTS, attempt=2, lineage=lineage))
    assert again["TUNING_RESUME_FROM"] == again["TUNING_CHECKPOINT_DIR"]


def test_a_parent_that_began_anew_left_its_checkpoints_under_another_name() -> None:
    child = variables(pod(CHECKPOINTS, lineage=Lineage(parent=3, parent_attempt=4)))
    assert child["TUNING_RESUME_FROM"] == "/data/checkpoints/team-a/digits-11112222/3-4"
    assert "TUNING_BUDGET" not in child


def test_without_checkpoints_nothing_is_mounted_and_no_directory_is_named() -> None:
    made = pod(attempt=2)
    assert mounts(made) == {}
    assert not {"TUNING_CHECKPOINT_DIR", "TUNING_RESUME_FROM"} & set(variables(made))


def test_the_templates_own_volumes_stay() -> None:
    own, mount = {"name": "data", "emptyDir": {}}, {"name": "data", "mountPath": "/data"}
    made = pod(CHECKPOINTS, volumes=[own], volumeMounts=[mount])
    assert made["volumes"][0] == own
    assert mounts(made) == {"/data": "data", "/data/checkpoints": "tuning-checkpoints"}


def test_a_root_that_cannot_be_written_gets_a_tmp() -> None:
    made = pod(securityContext={"readOnlyRootFilesystem": True})
    assert made["volumes"] == [{"name": "tuning-tmp", "emptyDir": {}}]
    assert mounts(made) == {"/tmp": "tuning-tmp"}


@pytest.mark.parametrize("place", ["/tmp", "/tmp/"])
def test_a_templates_own_tmp_stays(place: str) -> None:
    context = {"readOnlyRootFilesystem": True}
    made = pod(
        volumes=[{"name": "t", "emptyDir": {}}],
        volumeMounts=[{"name": "t", "mountPath": place}],
        securityContext=context,
    )
    assert mounts(made) == {place: "t"}


@pytest.mark.parametrize("context", [None, {}, {"readOnlyRootFilesystem": False}, "rubbish"])
def test_a_root_that_can_be_written_is_left_alone(context: Any) -> None:
    assert mounts(pod(securityContext=context)) == {}
