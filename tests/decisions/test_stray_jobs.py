"""Jobs that fit no trial, as after a restored database, count for none, and go."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.builders import NOW, STUDY, ended, history, job, reported, snapshot, spec, trial
from tuning_operator.decisions.actions import Plan
from tuning_operator.decisions.plan import decide
from tuning_operator.decisions.report_access import ReportAccess
from tuning_operator.decisions.seen_jobs import TrialJob
from tuning_operator.decisions.stray_jobs import fingerprint_of, first_attempts, told_apart
from tuning_operator.decisions.trial_job import trial_job
from tuning_operator.decisions.trials import EarlierAttempts, OpenTrial

OURS, OTHERS = fingerprint_of({"lr": 0.01}), fingerprint_of({"lr": 0.02})


def plan_for(*trials: OpenTrial, jobs: tuple[TrialJob, ...], **fields: Any) -> Plan:
    """Return the plan of a study with these trials and Jobs."""
    of_history = history(*trials)
    fitting, strays = told_apart(jobs, of_history)
    return decide(snapshot(*trials, jobs=fitting, strays=strays, **fields))


def ours(number: int = 0, **fields: Any) -> OpenTrial:
    """Return an open trial that knows its parameters' fingerprint."""
    return trial(number, fingerprint=OURS, **fields)


def test_parameters_have_one_fingerprint_in_whatever_order_they_stand() -> None:
    assert fingerprint_of({"a": 1, "b": "x"}) == fingerprint_of({"b": "x", "a": 1})
    assert len({fingerprint_of(each) for each in ({"a": 1}, {"a": 1.0}, {"a": True}, {"a": "1"}, {"b": 1}, {})}) == 6


@pytest.mark.parametrize("fingerprint", [OURS, ""])
def test_a_job_that_trains_its_trials_parameters_or_does_not_say_fits(fingerprint: str) -> None:
    fitting, strays = told_apart([job(fingerprint=fingerprint)], history(ours()))
    assert (len(fitting), strays) == (1, ())


def test_of_trials_that_have_ended_only_active_jobs_matter() -> None:
    jobs = [job(0), job(1, "Complete"), job(2, "Failed"), job(3, fingerprint=OTHERS)]
    fitting, strays = told_apart(jobs, history(complete=4))
    assert ([each.trial for each in fitting], strays) == ([0, 3], ())


@pytest.mark.parametrize("phase", ["Pending", "Running", "Complete", "Failed"])
def test_a_job_of_a_trial_that_the_storage_does_not_know_is_deleted_with_an_event(phase: str) -> None:
    (deletion,) = plan_for(ours(), jobs=(job(0, fingerprint=OURS), job(7, phase)), maxTrials=1, parallelism=1).deletions
    assert (deletion.job, deletion.event) == (job(7).name, "StrayJob")
    assert deletion.reason == "the storage has no trial 7"


def test_a_stray_job_that_is_being_deleted_is_not_deleted_again() -> None:
    assert plan_for(ours(), jobs=(job(0), job(7, deleting=True)), maxTrials=1, parallelism=1).deletions == ()


@pytest.mark.parametrize(
    "of",
    [
        ours(),
        replace(reported(), fingerprint=OURS),
        replace(reported(end=ended("Complete")), fingerprint=OURS),
        replace(reported(prune_decided_at=NOW), fingerprint=OURS),
    ],
)
@pytest.mark.parametrize("phase", ["Running", "Complete", "Failed"])
def test_a_trial_whose_job_trains_other_parameters_starts_afresh_whatever_that_one_said(
    of: OpenTrial, phase: str
) -> None:
    plan = plan_for(of, jobs=(job(0, phase, fingerprint=OTHERS),))
    (new,) = plan.new_attempts
    assert (new.number, new.attempt, new.reason, new.earlier.first) == (0, 2, "StrayJob", 2)
    assert new.after == of.last_words, "what was said so far is no reason against it"
    (deletion,) = plan.deletions
    assert (deletion.job, deletion.event) == (job(0).name, "StrayJob")
    assert "other parameters" in deletion.reason
    assert (plan.outcomes, plan.launches, plan.ask) == ((), (), 0), "first of all that is put right"


def test_a_trial_with_a_job_of_a_later_attempt_goes_on_beyond_it() -> None:
    plan = plan_for(ours(attempt=2), jobs=(job(0, attempt=4, fingerprint=OURS),))
    (new,) = plan.new_attempts
    assert (new.attempt, new.earlier.first) == (5, 1), "its checkpoints are of the same parameters"
    assert [deletion.job for deletion in plan.deletions] == [job(0, attempt=4).name]
    (new,) = plan_for(ours(attempt=2), jobs=(job(0, attempt=4, fingerprint=OTHERS),)).new_attempts
    assert (new.attempt, new.earlier.first) == (5, 5)


def test_trials_to_come_begin_beyond_the_jobs_that_were_seen_of_their_numbers() -> None:
    _, strays = told_apart([job(7, attempt=1), job(7, attempt=3), job(8, "Complete")], history(ours()))
    assert first_attempts({}, strays) == {7: 4, 8: 2}
    assert first_attempts({7: 9}, strays) == {7: 9, 8: 2}


def test_a_trial_that_starts_afresh_has_checkpoints_of_its_own() -> None:
    checkpoints = {"claimName": "shared", "path": "/data"}
    of = spec(trial={"template": spec().trial.template, "checkpoints": checkpoints})

    def variables(attempt: int) -> dict[str, str]:
        its = ours(7, attempt=attempt, earlier=EarlierAttempts(first=3))
        made = trial_job(STUDY, of, its, ReportAccess("http://operator", "secret"))
        container = made["spec"]["template"]["spec"]["containers"][0]
        return {variable["name"]: variable["value"] for variable in container["env"]}

    first, second = variables(3), variables(4)
    assert "TUNING_RESUME_FROM" not in first
    assert second["TUNING_RESUME_FROM"] == second["TUNING_CHECKPOINT_DIR"] == first["TUNING_CHECKPOINT_DIR"]
    assert first["TUNING_CHECKPOINT_DIR"].endswith("/7-3")
