from __future__ import annotations

import pytest

from tests.builders import STUDY, spec_document, trial_fields
from tests.engine.world import EngineInAWorld
from tests.fakes import FakeTrialRepository
from tuning_contract import FinalState, Report, ReportBatch, TrialEnd
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.actions import NewAttempt
from tuning_operator.errors import ClusterUnavailable, JobRefused, SearchFailed, StorageUnavailable


def name(number: int, attempt: int = 1) -> str:
    return f"digits-11112222-{number}-{attempt}"


async def test_a_new_study_launches_its_first_trials_and_shows_it() -> None:
    world = EngineInAWorld()
    await world.step()
    assert world.job_names() == [name(0), name(1)]
    assert world.shown["trials"]["pending"] == 2
    assert world.shown["phase"] == "Running"
    assert world.events.reasons == ["TrialsRunning"]


async def test_a_job_knows_where_its_attempt_reports() -> None:
    world = EngineInAWorld()
    await world.step()
    container = world.jobs.manifests[name(1)]["spec"]["template"]["spec"]["containers"][0]
    variables = {variable["name"]: variable["value"] for variable in container["env"]}
    assert variables["TUNING_REPORT_URL"] == f"http://operator/{STUDY.uid}/1/1"
    assert variables["TUNING_REPORT_TOKEN"] == "token-1-1"


async def test_a_last_message_frees_the_slot_before_the_job_ends() -> None:
    world = EngineInAWorld()
    await world.step()
    world.jobs.start(name(0), name(1))
    await world.report(0, 0.8, end="Complete")
    await world.step()
    assert world.job_names() == [name(0), name(1), name(2)]
    assert world.shown["best"]["value"] == 0.8
    assert len(world.metrics.next_jobs) == 1


async def test_a_study_runs_to_its_end_and_stays_there() -> None:
    world = EngineInAWorld(maxTrials=5, parallelism=2)
    for number in range(5):
        await world.step()
        world.jobs.start(name(number))
        await world.report(number, number / 10, end="Complete")
        world.jobs.finish(name(number))
    await world.step()
    assert world.shown["phase"] == "Complete"
    assert world.shown["best"]["number"] == 4
    requests = world.jobs.requests
    await world.step()
    assert world.jobs.requests == requests


async def test_one_post_per_trial_and_one_dry_run_are_all_requests() -> None:
    world = EngineInAWorld(maxTrials=5, parallelism=5)
    await world.step()
    for number in range(5):
        world.jobs.start(name(number))
        await world.report(number, end="Complete")
    await world.step()
    assert world.jobs.requests == 6


async def test_counters_wait_for_the_next_status_and_transitions_do_not() -> None:
    world = EngineInAWorld(maxTrials=9, parallelism=2)
    await world.step()
    written = len(world.status.written)
    world.jobs.start(name(0))
    due = await world.step()
    assert len(world.status.written) == written
    assert due == world.clock.now() + 10
    world.clock.advance(10)
    await world.step()
    assert world.shown["trials"]["running"] == 1


async def test_a_template_that_is_refused_starts_nothing_and_says_why() -> None:
    world = EngineInAWorld()
    world.jobs.fail_next(JobRefused('unknown field "spec.template.spec.conainers"'))
    await world.step()
    assert world.jobs.manifests == {}
    assert world.shown["phase"] == "Refused"
    assert world.trials.history().total == 0


async def test_a_corrected_template_is_tried_again() -> None:
    world = EngineInAWorld()
    world.jobs.fail_next(JobRefused("no"))
    await world.step()
    world.edit()
    await world.step()
    assert world.shown["phase"] == "Running"


async def test_a_refusal_after_the_start_degrades_the_study_and_is_tried_again() -> None:
    world = EngineInAWorld()
    await world.step()
    await world.report(0, end="Complete")
    world.jobs.fail_next(JobRefused("exceeded quota: gpus"))
    await world.step()
    degraded = world.condition("Degraded")
    assert (degraded["status"], degraded["message"]) == ("True", "exceeded quota: gpus")
    world.clock.advance(30)
    await world.step()
    assert name(2) in world.job_names()


async def _requests_until(world: EngineInAWorld, seconds: float) -> list[float]:
    """Let time go on; return when there were requests to the API server, in seconds from now."""
    begun, requests, times = world.clock.now(), world.jobs.requests, []
    while world.clock.now() < begun + seconds:
        world.clock.advance(0.5)
        await world.step()
        times += [world.clock.now() - begun] * (world.jobs.requests - requests)
        requests = world.jobs.requests
    return times


async def test_a_refusal_in_an_api_servers_first_seconds_is_over_in_seconds() -> None:
    world = EngineInAWorld(maxTrials=9, parallelism=3)
    await world.step()
    for number in range(3):
        await world.report(number, end="Complete")
    world.jobs.fail_next(*[JobRefused("jobs.batch is forbidden: User can't create")] * 4)
    await world.step()
    assert world.job_names() == [name(number) for number in range(3)]
    times = await _requests_until(world, 5)
    assert times[:2] == [1, 3], "one finds out that it is over"
    assert len(times) == 4, "and all follow"
    assert world.job_names() == [name(number) for number in range(6)]
    assert world.shown["phase"] == "Running"


async def test_a_refusal_that_lasts_is_asked_for_less_and_less_and_shown_at_once() -> None:
    world = EngineInAWorld(maxTrials=100, parallelism=50)
    await world.step()
    for number in range(50):
        await world.report(number, end="Complete")
    world.jobs.fail_next(*[JobRefused("jobs.batch is forbidden: User can't create")] * 1000)
    await world.step()
    degraded = world.condition("Degraded")
    assert (degraded["status"], degraded["reason"]) == ("True", "JobNotCreated")
    assert "forbidden" in degraded["message"]
    assert await _requests_until(world, 120) == [1, 3, 8, 18, 48, 78, 108]


async def test_a_template_that_is_refused_is_checked_again_less_and_less_until_it_is_corrected() -> None:
    world = EngineInAWorld()
    world.jobs.fail_next(*[JobRefused("forbidden")] * 5)
    await world.step()
    assert await _requests_until(world, 30) == [1, 3, 8, 18]
    world.edit()
    world.jobs.fail_next(JobRefused("still not right"))
    await world.step()
    assert (await _requests_until(world, 1))[0] == 1, "a corrected one is not the old one"
    assert world.shown["phase"] == "Running"


@pytest.mark.parametrize("failing", [1, 2])
async def test_a_study_whose_job_could_not_be_posted_launches_the_same_trial_later(failing: int) -> None:
    world = EngineInAWorld()
    world.jobs.fail_next(*[ClusterUnavailable("the API server does not answer")] * failing)
    with pytest.raises(ClusterUnavailable):
        await world.step()
    world.new_engine()
    for _ in range(failing):
        try:
            await world.step()
        except ClusterUnavailable:
            continue
    await world.step()
    assert world.job_names() == [name(0), name(1)]
    assert world.trials.history().total == 2


async def test_a_full_quota_hides_nothing_and_is_tried_again() -> None:
    world = EngineInAWorld(maxTrials=4, parallelism=2)
    await world.step()
    await world.report(0, 0.9, end="Complete")
    world.jobs.fail_next(ClusterUnavailable("exceeded quota: count/jobs.batch"))
    due = await world.step()
    assert world.shown["best"]["value"] == 0.9
    assert world.shown["trials"]["waiting"] == 1
    assert due is not None
    world.clock.advance(due - world.clock.now())
    await world.step()
    assert name(2) in world.job_names()


async def test_a_clock_that_was_set_back_blocks_no_job_for_hours() -> None:
    world = EngineInAWorld(maxTrials=4, parallelism=2)
    await world.step()
    await world.report(0, 0.9, end="Complete")
    world.jobs.fail_next(ClusterUnavailable("exceeded quota: count/jobs.batch"))
    await world.step()
    world.clock.advance(-3600)
    await world.step()
    world.clock.advance(30)
    await world.step()
    assert name(2) in world.job_names()


async def test_a_clock_that_was_set_back_hides_no_counters_for_hours() -> None:
    world = EngineInAWorld(maxTrials=4, parallelism=2)
    await world.step()
    world.clock.advance(-3600)
    world.jobs.start(name(0))
    due = await world.step()
    assert due is not None
    assert due <= world.clock.now() + 10


async def test_a_deletion_that_is_refused_stops_no_launch_and_is_not_hammered() -> None:
    world = EngineInAWorld(maxTrials=3, parallelism=1)
    await world.step()
    world.jobs.start(name(0))
    world.trials.prune_on_report.add(0)
    await world.report(0, 0.1)
    world.clock.advance(30)
    world.jobs.fail_next(ClusterUnavailable("a webhook refuses"))
    due = await world.step()
    assert name(1) in world.job_names()
    assert due is not None
    assert due > world.clock.now()


async def test_nothing_is_asked_while_the_storage_is_away() -> None:
    world = EngineInAWorld()
    world.trials.fail_next(StorageUnavailable("the database does not answer"))
    with pytest.raises(StorageUnavailable):
        await world.step()
    assert world.jobs.manifests == {}
    await world.step()
    assert world.job_names() == [name(0), name(1)]


async def test_a_study_whose_trials_reports_cannot_be_stored_says_so_until_they_can() -> None:
    world = EngineInAWorld()
    await world.step()
    world.trials.trouble = "the database does not answer"
    await world.step()
    degraded = world.condition("Degraded")
    assert (degraded["status"], degraded["reason"]) == ("True", "StorageUnavailable")
    assert degraded["message"] == "the database does not answer"
    world.trials.trouble = ""
    world.clock.advance(10)
    await world.step()
    degraded = world.condition("Degraded")
    assert degraded["status"] == "False"


async def test_a_sampler_that_fails_degrades_the_study_whose_trials_go_on() -> None:
    world = EngineInAWorld(maxTrials=9, parallelism=2)
    await world.step()
    world.trials.search_failure = "the sampler TPE failed"
    for number in range(2):
        await world.report(number, end="Complete")
        with pytest.raises(SearchFailed):
            await world.step()
        assert world.shown["trials"]["complete"] == number + 1, "nothing else happens that could show it"
        degraded = world.condition("Degraded")
        assert (degraded["status"], degraded["reason"]) == ("True", "SearchFailed")
        assert degraded["message"] == "the sampler TPE failed"
    world.trials.search_failure = ""
    world.clock.advance(10)
    await world.step()
    assert name(2) in world.job_names()
    degraded = world.condition("Degraded")
    assert degraded["status"] == "False"


async def test_a_study_that_has_ended_needs_no_sampler() -> None:
    world = EngineInAWorld(maxTrials=1, parallelism=1)
    await world.step()
    world.trials.search_failure = "the sampler TPE failed"
    await world.report(0, end="Complete")
    await world.step()
    assert world.shown["phase"] == "Complete"
    degraded = world.condition("Degraded")
    assert degraded["status"] == "False"


async def test_a_restarted_operator_goes_on_where_it_was() -> None:
    world = EngineInAWorld(maxTrials=4, parallelism=2)
    await world.step()
    world.jobs.start(name(0), name(1))
    await world.report(0, 0.9, end="Complete")
    world.new_engine()
    world.jobs.forget()
    await world.step()
    assert world.job_names() == [name(0), name(1), name(2)]
    assert world.trials.history().total == 3


async def test_a_deleted_jobs_trial_is_lost_and_another_one_follows() -> None:
    world = EngineInAWorld(trial=trial_fields(retries={"reasons": []}))
    await world.step()
    world.jobs.remove(name(0))
    await world.step()
    assert [end.reason for end in world.metrics.ends] == ["JobLost"]
    assert name(2) in world.job_names()


async def test_suspend_and_resume_keep_numbers_and_parameters() -> None:
    world = EngineInAWorld()
    await world.step()
    before = {trial.number: dict(trial.parameters) for trial in world.trials.history().open}
    world.edit(suspend={"enabled": True, "mode": "Terminate"})
    await world.step()
    assert world.job_names() == []
    assert world.shown["phase"] == "Suspended"
    assert world.shown["trials"]["waiting"] == 2
    world.edit()
    await world.step()
    assert world.job_names() == [name(0, 2), name(1, 2)]
    assert {trial.number: dict(trial.parameters) for trial in world.trials.history().open} == before


async def test_a_pruned_trial_that_does_not_leave_is_deleted_after_the_grace() -> None:
    world = EngineInAWorld(maxTrials=2, parallelism=2)
    await world.step()
    world.jobs.start(name(0), name(1))
    world.trials.prune_on_report.add(0)
    assert await world.report(0, 0.1) == "Pruned"
    due = await world.step()
    assert due is not None
    world.clock.advance(30)
    await world.step()
    assert world.jobs.deletions == [name(0)]
    assert world.shown["trials"]["pruned"] == 1


async def test_a_trial_that_ends_just_before_it_gives_way_keeps_its_job_and_is_counted_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = EngineInAWorld(maxTrials=1, parallelism=1)
    await world.step()
    world.jobs.start(name(0))
    await world.report(0)
    world.clock.advance(100)
    start_attempt = world.trials.start_attempt

    async def too_late(new: NewAttempt) -> bool:
        await world.report(0, step=2, end="Complete")
        return await start_attempt(new)

    monkeypatch.setattr(world.trials, "start_attempt", too_late)
    world.edit(maxTrials=1, parallelism=1, suspend={"enabled": True, "mode": "Terminate"})
    await world.step()
    await world.step()
    assert world.shown["trials"]["complete"] == 1
    assert world.jobs.deletions == [], "it may still save its model"
    assert world.metrics.new_attempts == []


async def test_a_trial_whose_end_was_acknowledged_while_it_was_given_up_counts_as_it_ended() -> None:
    world = EngineInAWorld(maxTrials=2, parallelism=2, trial=trial_fields(deadlines={"silence": "1m"}))
    await world.step()
    world.jobs.start(name(0), name(1))
    await world.report(0, 0.5)
    world.clock.advance(100)

    async def at_last() -> None:
        assert await world.report(0, 0.9, step=2, end="Complete") == "", "it is taken"

    world.trials.meanwhile = at_last
    due = await world.engine.step(world.resource, world.trials, world.clock.now())
    assert due == world.clock.now()
    await world.step()
    assert (world.shown["trials"]["complete"], world.shown["best"]["value"]) == (1, 0.9)
    assert [end.reason for end in world.metrics.ends] == ["Silent", "Complete"]
    assert world.jobs.deletions == [name(1)], "the other one was silent, and this one may still save its model"


async def test_a_trial_that_was_told_that_it_is_pruned_counts_as_pruned() -> None:
    world = EngineInAWorld(maxTrials=1, parallelism=1, trial=trial_fields(deadlines={"run": "1m"}))
    await world.step()
    world.jobs.start(name(0))
    world.clock.advance(100)
    world.trials.prune_on_report.add(0)

    async def at_last() -> None:
        assert await world.report(0, 0.9) == "Pruned"

    world.trials.meanwhile = at_last
    await world.step()
    world.jobs.fail(name(0))
    await world.step()
    assert world.shown["trials"]["pruned"] == 1


def _restored(world: EngineInAWorld) -> FakeTrialRepository:
    """Let the database be a backup from before the first trial; the next trials have other parameters."""
    world.trials = FakeTrialRepository(world.resource.spec, world.clock)
    enqueued = StudySpec.model_validate({**spec_document(), "search": {"enqueue": [{"lr": 0.05}, {"lr": 0.06}]}})
    world.trials.spec = enqueued
    world.new_engine()
    return world.trials


async def test_jobs_of_trials_that_a_restored_database_does_not_know_count_for_no_trial() -> None:
    world = EngineInAWorld(maxTrials=3, parallelism=2)
    await world.step()
    world.jobs.start(name(0), name(1))
    trials = _restored(world)
    requests = world.jobs.requests
    await world.step()
    assert world.jobs.deletions == [name(0), name(1)]
    assert [(trial.number, trial.attempt) for trial in trials.history().open] == [(0, 2), (1, 2)]
    assert world.job_names() == [name(0, 2), name(1, 2)]
    for number in range(2):
        late = await trials.report(number, 1, ReportBatch((Report(1, {"accuracy": 0.9}),)))
        assert (late.reply.stop, late.reply.reason) == (True, "Superseded")
    assert {trial.value for trial in trials.history().open} == {None}
    assert [event.reason for event in world.events.events if event.warning] == ["StrayJob"] * 2
    assert any("has no trial 0; was the storage restored?" in event.message for event in world.events.events)
    assert world.jobs.requests == requests + 1 + 2 + 2, "the dry run, two deletions, two Jobs"
    await world.report(0, 0.5, end="Complete")
    await world.step()
    assert world.job_names() == [name(0, 2), name(1, 2), name(2)]


async def test_a_job_that_trains_other_parameters_than_its_trial_has_is_replaced() -> None:
    world = EngineInAWorld(maxTrials=2, parallelism=2)
    await world.step()
    world.jobs.start(name(0), name(1))
    trials = _restored(world)
    await trials.ask(2)
    await trials.report(0, 1, ReportBatch((Report(1, {"accuracy": 0.9}),), TrialEnd(FinalState.COMPLETE)))
    world.jobs.finish(name(0))
    await world.step()
    await world.step()
    assert world.job_names() == [name(0, 2), name(1, 2)]
    assert {trial.value for trial in trials.history().open} == {None}, "it was reported for other parameters"
    assert world.metrics.ends == []
    assert world.events.reasons.count("StrayJob") == 2


async def test_a_job_that_is_in_the_way_unseen_is_replaced_too() -> None:
    world = EngineInAWorld(maxTrials=1, parallelism=1)
    await world.step()
    world.jobs.hidden.add(name(0))
    trials = _restored(world)
    await world.step()
    assert [trial.attempt for trial in trials.history().open] == [2]
    world.clock.advance(5)
    await world.step()
    assert world.job_names() == [name(0, 2)]


async def test_a_restored_databases_jobs_that_fit_go_on() -> None:
    world = EngineInAWorld(maxTrials=2, parallelism=2)
    await world.step()
    world.jobs.start(name(0), name(1))
    trials = _restored(world)
    trials.spec = world.resource.spec
    await trials.ask(2)
    await world.step()
    assert (world.job_names(), world.jobs.deletions) == ([name(0), name(1)], [])


async def test_an_exhausted_space_ends_the_study() -> None:
    world = EngineInAWorld(maxTrials=10, parallelism=4)
    world.trials.points = 2
    await world.step()
    for number in range(2):
        await world.report(number, end="Complete")
    await world.step()
    complete = next(condition for condition in world.shown["conditions"] if condition["type"] == "Complete")
    assert (complete["status"], complete["reason"]) == ("True", "Exhausted")


async def test_a_raised_max_trials_revives_a_complete_study() -> None:
    world = EngineInAWorld(maxTrials=2, parallelism=2)
    await world.step()
    for number in range(2):
        await world.report(number, end="Complete")
    await world.step()
    assert world.shown["phase"] == "Complete"
    world.edit(maxTrials=3, parallelism=2)
    await world.step()
    assert world.shown["phase"] == "Running"
    assert "completionTime" not in world.shown
    assert name(2) in world.job_names()


async def test_a_trial_that_only_prints_is_followed_and_told_once_its_log_is_read() -> None:
    trial = {**spec_document()["trial"], "metrics": {"source": "Logs"}}
    world = EngineInAWorld(maxTrials=2, parallelism=1, trial=trial)
    await world.step()
    (name,) = world.job_names()
    assert world.logs.followed[STUDY.uid] == []
    world.jobs.start(name)
    await world.step()
    assert world.logs.followed[STUDY.uid] == [(0, 1)]
    await world.report(0, 0.5)
    world.jobs.finish(name)
    await world.step()
    assert world.trials.finished(0) is None
    world.logs.finish(0)
    await world.step()
    assert world.shown["trials"]["complete"] == 1
    await world.step()
    assert world.logs.followed[STUDY.uid] == []


async def test_the_gpu_time_of_a_pod_that_a_queue_took_outlives_the_operator() -> None:
    gpus = trial_fields()
    gpus["template"]["spec"]["containers"][0]["resources"] = {"limits": {"nvidia.com/gpu": 2}}
    world = EngineInAWorld(maxTrials=1, parallelism=1, trial=gpus)
    await world.step()
    world.jobs.start(name(0))
    await world.step()
    world.clock.advance(3600)
    world.jobs.hold_back(name(0))
    await world.step()
    world.new_engine()
    world.jobs.forget()
    world.jobs.release(name(0))
    world.jobs.start(name(0))
    world.clock.advance(1800)
    await world.report(0, 0.5, end="Complete")
    await world.step()
    assert world.shown["usage"] == {"gpuHours": 3.0, "trialHours": 1.5}
