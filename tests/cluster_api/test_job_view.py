"""What a Job says of its trial, whatever people wrote into it."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cluster_api.manifests import job_manifest
from tuning_operator.api.names import PARAMETERS_ANNOTATION
from tuning_operator.cluster.job_view import SeenJob, UnreadableJob, merge, read_job
from tuning_operator.decisions.seen_jobs import JobPhase, TrialJob
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.decisions.stray_jobs import fingerprint_of

STUDY = StudyKey("team", "digits", "6f9619ff-8b86-4d01-b42d-00cf4fc964ff")
TIME = "2027-01-15T08:00:00Z"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)


def stored_job(**status: Any) -> dict[str, Any]:
    """Return a Job as the API server has it."""
    job = job_manifest(STUDY, 3, attempt=2)
    job["metadata"].update({"uid": "a", "creationTimestamp": TIME})
    return {**job, "status": status}


def failed(message: str) -> TrialJob:
    condition = {"type": "Failed", "status": "True", "message": message, "lastTransitionTime": TIME}
    return read_job(stored_job(conditions=[condition], startTime=TIME)).job


def test_a_new_job_is_pending() -> None:
    seen = read_job(stored_job())
    assert (seen.study_uid, seen.job.trial, seen.job.attempt) == (STUDY.uid, 3, 2)
    assert seen.job.phase is JobPhase.PENDING
    assert seen.job.created_at == 1_800_000_000.0


@pytest.mark.parametrize(
    ("text", "says"), [('{"lr": 0.5, "n": 3}', True), ('{"n":3,"lr":5e-1}', True), ("{", False), ("[1]", False)]
)
def test_a_job_says_which_parameters_it_trains_unless_somebody_wrote_rubbish(text: str, says: bool) -> None:
    document = stored_job()
    document["metadata"]["annotations"] = {PARAMETERS_ANNOTATION: text}
    assert read_job(document).job.fingerprint == (fingerprint_of({"lr": 0.5, "n": 3}) if says else "")
    assert read_job(stored_job()).job.fingerprint == ""


@pytest.mark.parametrize("depth", [900, 960, 977, 985, 990, 995, 10_000])
def test_parameters_however_deep_say_nothing_and_harm_nobody(depth: int) -> None:
    document = stored_job()
    document["metadata"]["annotations"] = {PARAMETERS_ANNOTATION: '{"x": ' + "[" * depth + "]" * depth + "}"}
    assert read_job(document).job.fingerprint == ""


def test_a_job_of_an_attempt_that_no_trial_has_is_not_readable() -> None:
    job = job_manifest(STUDY, 3, attempt=10_000_000)
    job["metadata"].update({"uid": "a", "creationTimestamp": TIME})
    with pytest.raises(UnreadableJob, match="no trial has that many"):
        read_job(job)


def test_an_interim_condition_is_no_end() -> None:
    target = {"type": "FailureTarget", "status": "True", "lastTransitionTime": TIME}
    not_failed = {"type": "Failed", "status": "False", "lastTransitionTime": TIME}
    assert read_job(stored_job(conditions=[target, not_failed], ready=1)).job.phase is JobPhase.RUNNING


def test_the_exit_code_is_read_from_the_conditions_words() -> None:
    job = failed("Container trainer for pod team/x failed with exit code 137 matching FailJob rule at index 1")
    assert job.exit_code == 137


@pytest.mark.parametrize(
    "message",
    [
        "Pod team/x has condition DisruptionTarget matching FailJob rule at index 0",
        "Job was active longer than specified deadline",
        "",
    ],
)
def test_a_failure_that_was_not_the_containers_has_no_exit_code(message: str) -> None:
    job = failed(message)
    assert job.exit_code is None
    assert job.message == message


def test_a_disruption_is_told_from_a_failure() -> None:
    assert failed("Pod team/x has condition DisruptionTarget matching FailJob rule at index 0").disrupted
    assert not failed("Container trainer for pod team/x failed with exit code 1 matching FailJob rule").disrupted
    assert not failed('the pod "has condition DisruptionTarget" failed with exit code 7').disrupted


def test_a_pod_that_was_told_to_end_is_noted_until_it_is_gone() -> None:
    assert read_job(stored_job(terminating=1, ready=0), now=5.0).job.terminating_since == 5.0
    assert read_job(stored_job(terminating=1, ready=1), now=5.0).job.terminating_since is None
    assert read_job(stored_job(terminating=0), now=5.0).job.terminating_since is None


def test_what_made_a_job_fail_is_known_before_its_pod_may_go() -> None:
    words = "Pod team/x has condition DisruptionTarget matching FailJob rule at index 0"
    target = {"type": "FailureTarget", "status": "True", "message": words, "lastTransitionTime": TIME}
    job = read_job(stored_job(conditions=[target], ready=1)).job
    assert job.phase is JobPhase.RUNNING
    assert job.awaits_cause


def test_a_pod_that_was_counted_before_the_condition_is_not_pending() -> None:
    assert read_job(stored_job(ready=0, failed=1)).job.phase is JobPhase.RUNNING


def test_a_pod_that_a_queue_took_while_nobody_looked_is_not_taken_for_the_next_one() -> None:
    created = read_job(stored_job(ready=1))
    now = created.job.created_at + 1000
    running = merge(created, None, created.job.created_at, now)
    released = datetime.fromtimestamp(now - 400, UTC).isoformat()
    again = read_job(stored_job(conditions=[{"type": "Suspended", "status": "False", "lastTransitionTime": released}]))
    job = merge(again, running, None, now).job
    assert (job.phase, job.running_at) == (JobPhase.PENDING, None)
    assert job.earlier_pods == ((created.job.created_at, now - 400),)


def test_a_suspended_job_says_since_when_once_the_job_controller_has_noted_it() -> None:
    def suspended(before: SeenJob | None, now: float, *conditions: dict[str, str]) -> SeenJob:
        job = stored_job(conditions=list(conditions))
        job["spec"]["suspend"] = True
        return merge(read_job(job, now), before, None, now)

    noted = {"type": "Suspended", "status": "True", "lastTransitionTime": TIME}
    since = read_job(stored_job()).job.created_at
    assert suspended(None, since + 60, noted).job.held_since == since
    first = suspended(None, since + 60, {**noted, "status": "False"})
    assert suspended(first, since + 90).job.held_since == since + 60, "it was seen before it was noted"


@pytest.mark.parametrize(("started", "believed"), [(-3600, 0), (30, 30), (3600, 60)])
def test_a_node_whose_clock_is_off_lets_no_pod_run_before_its_job_or_after_now(started: float, believed: float) -> None:
    seen = read_job(stored_job(ready=1))
    created = seen.job.created_at
    assert merge(seen, None, created + started, created + 60).job.running_at == created + believed


def test_a_job_of_another_controller_is_none_of_ours() -> None:
    job = stored_job()
    job["metadata"]["ownerReferences"][0]["kind"] = "CronJob"
    with pytest.raises(UnreadableJob, match="controller"):
        read_job(job)


def test_a_job_whose_name_is_not_its_trials_is_none_of_ours() -> None:
    job = stored_job()
    job["metadata"]["name"] = "digits-6f9619ff-3-1"
    with pytest.raises(UnreadableJob, match="name"):
        read_job(job)


@given(st.data())
def test_no_field_can_do_more_harm_than_making_a_job_unreadable(data: st.DataObject) -> None:
    job = copy.deepcopy(stored_job(conditions=[{"type": "Complete", "status": "True"}], startTime=TIME, ready=1))
    node: Any = job
    while True:
        key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        inner = node[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            node[key] = data.draw(json_values)
            break
        node = inner
    try:
        seen = read_job(job)
    except UnreadableJob:
        return
    assert isinstance(seen.job.trial, int)
    assert isinstance(seen.job.message, str)
