"""What Prometheus gets to see."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.builders import new_attempt
from tuning_operator import __version__
from tuning_operator.api.status import BestTrial, Condition, ConditionType, ObjectiveStatus, StudyStatus, TrialCounts
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.actions import Outcome
from tuning_operator.decisions.hold_ups import HoldUp
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.decisions.trials import EndState
from tuning_operator.metrics.event_loop import watch_event_loop
from tuning_operator.metrics.recording import Metrics
from tuning_operator.metrics.reference import REFERENCE, main, reference_page
from tuning_operator.ports import StudyMetrics

ROOT = Path(__file__).parents[2]

STATUS = StudyStatus(
    trials=TrialCounts(total=10, running=2, complete=5, pruned=2, failed=1),
    best=BestTrial(number=3, value=0.9, values={"accuracy": 0.9}, parameters={}),
    conditions=[
        Condition(type=ConditionType.RUNNING, status="True", last_transition_time="", reason="TrialsRunning"),
    ],
)
SPEC = StudySpec.model_validate(
    {
        "objectives": [{"metric": "accuracy", "direction": "Maximize"}],
        "parameters": [{"name": "learning_rate", "type": "Float", "low": 0.0, "high": 1.0}],
        "maxTrials": 10,
        "trial": {
            "template": {
                "spec": {
                    "containers": [
                        {"name": "trainer", "image": "trainer", "resources": {"limits": {"nvidia.com/gpu": 2}}}
                    ]
                }
            }
        },
    }
)


def _study(name: str = "digits") -> StudyKey:
    return StudyKey("team", name, f"uid-of-{name}")


def _outcome(state: EndState, reason: str = "", **seconds: float) -> Outcome:
    return Outcome(1, state, 0.9, reason or state.value, "", **{"running_seconds": 30.0, **seconds})


def _record_everything(metrics: Metrics, study: StudyKey) -> None:
    metrics.study_shown(study, STATUS)
    metrics.trial_ended(study, SPEC, _outcome(EndState.COMPLETE, attempt_seconds=30.0, queued_seconds=2.0), 0.0)
    metrics.trial_ended(study, SPEC, _outcome(EndState.FAILED, "Silent", attempt_seconds=5.0), 30.0)
    metrics.trial_ended(study, SPEC, _outcome(EndState.PRUNED, running_seconds=10.0, attempt_seconds=10.0), 30.0)
    metrics.attempt_replaced(study, SPEC, replace(new_attempt(reason="Preempted"), attempt_seconds=20.0))
    metrics.trials_held_up(study, {HoldUp.QUEUED: 3})
    metrics.next_job_posted(study, 0.02)
    metrics.first_job_posted(study, 0.5)
    metrics.reports_acknowledged(0.002, 3, 0.0001)
    metrics.report_refused("Malformed")
    metrics.storage_committed(0.003)
    metrics.storage_failed("StorageUnavailable")
    metrics.api_requested("create", 201)
    metrics.leadership_changed(True)
    metrics.event_loop_stalled(0.01)


def _samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(metrics.exposition().decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_the_metrics_are_what_the_engine_records_into() -> None:
    recorder: StudyMetrics = Metrics()
    assert isinstance(recorder, Metrics)


def test_a_study_is_shown_as_its_status_says() -> None:
    metrics = Metrics()
    _record_everything(metrics, _study())
    value = metrics.registry.get_sample_value
    labels = {"namespace": "team", "study": "digits"}
    assert value("tuning_trials", {**labels, "state": "running"}) == 2
    assert value("tuning_trials", {**labels, "state": "complete"}) == 5
    assert value("tuning_best_value", {**labels, "objective": "accuracy"}) == 0.9
    assert value("tuning_study_condition", {**labels, "condition": "Running"}) == 1
    assert value("tuning_study_condition", {**labels, "condition": "Complete"}) == 0
    assert value("tuning_trial_ends_total", {**labels, "state": "Complete"}) == 1
    assert value("tuning_trials_held_up", {**labels, "reason": "Queued"}) == 3
    assert value("tuning_trials_held_up", {**labels, "reason": "Unschedulable"}) == 0


def test_failures_and_retries_are_counted_by_their_reason() -> None:
    metrics = Metrics()
    _record_everything(metrics, _study())
    value = metrics.registry.get_sample_value
    labels = {"namespace": "team", "study": "digits"}
    assert value("tuning_attempt_failures_total", {**labels, "class": "Silent"}) == 1
    assert value("tuning_attempt_failures_total", {**labels, "class": "Preempted"}) == 1
    assert value("tuning_trial_retries_total", {**labels, "reason": "Preempted"}) == 1
    metrics.attempt_replaced(_study(), SPEC, new_attempt(reason="Suspended"))
    assert value("tuning_attempt_failures_total", {**labels, "class": "Suspended"}) is None


def test_gpu_time_is_used_wasted_and_saved() -> None:
    metrics = Metrics()
    _record_everything(metrics, _study())
    value = metrics.registry.get_sample_value
    labels = {"namespace": "team", "study": "digits"}
    assert value("tuning_gpu_seconds_total", labels) == 2 * (30 + 5 + 10 + 20)
    assert value("tuning_gpu_seconds_wasted_total", {**labels, "reason": "Failed"}) == 2 * 5
    assert value("tuning_gpu_seconds_wasted_total", {**labels, "reason": "Repeated"}) == 2 * 20
    assert value("tuning_gpu_seconds_saved_total", labels) == 2 * (30 - 10), "complete trials took 30 s on average"


def test_a_study_without_a_best_trial_has_no_best_value() -> None:
    metrics = Metrics()
    metrics.study_shown(_study(), StudyStatus())
    assert "tuning_best_value{" not in metrics.exposition().decode()


def test_several_objectives_have_each_their_best_value_and_a_hypervolume_together() -> None:
    metrics = Metrics()
    objectives = [
        ObjectiveStatus(metric="accuracy", best=0.9, number=1),
        ObjectiveStatus(metric="size", best=3, number=2),
    ]
    metrics.study_shown(_study(), StudyStatus(objectives=objectives, hypervolume=2.5, front_size=7))
    value, labels = metrics.registry.get_sample_value, {"namespace": "team", "study": "digits"}
    assert value("tuning_best_value", {**labels, "objective": "size"}) == 3
    assert value("tuning_best_value", {**labels, "objective": "accuracy"}) == 0.9
    assert value("tuning_hypervolume", labels) == 2.5
    assert value("tuning_front_trials", labels) == 7


def test_what_prometheus_reads_can_be_parsed_and_is_ours() -> None:
    metrics = Metrics()
    _record_everything(metrics, _study())
    names = {name for name, _ in _samples(metrics)}
    assert all(name.startswith(("tuning_", "process_")) for name in names)
    assert ("tuning_build_info", (("version", __version__),)) in _samples(metrics)
    assert ("tuning_api_requests_total", (("code", "201"), ("verb", "create"))) in _samples(metrics)


def test_everything_that_is_described_is_exposed_and_the_other_way_round() -> None:
    metrics = Metrics()
    _record_everything(metrics, _study())
    exposed = {line.split()[2] for line in metrics.exposition().decode().splitlines() if line.startswith("# TYPE")}
    ours = {name for name in exposed if name.startswith("tuning_") and not name.endswith("_created")}
    assert ours == {description.name for description in metrics.descriptions}


def test_series_grow_with_studies_and_not_with_trials() -> None:
    metrics = Metrics()
    _record_everything(metrics, _study("first"))
    one = len(_samples(metrics))
    for number in range(1_000):
        metrics.trial_ended(_study("first"), SPEC, replace(_outcome(EndState.COMPLETE), number=number), 1.0)
    _record_everything(metrics, _study("first"))
    assert len(_samples(metrics)) == one
    _record_everything(metrics, _study("second"))
    assert len(_samples(metrics)) - one <= 40


def test_the_series_of_a_deleted_study_vanish() -> None:
    metrics = Metrics()
    _record_everything(metrics, _study("kept"))
    before = set(_samples(metrics))
    _record_everything(metrics, _study("deleted"))
    metrics.forget_study(_study("deleted"))
    metrics.forget_study(_study("never seen"))
    assert set(_samples(metrics)) == before


def test_odd_names_do_not_break_the_exposition() -> None:
    metrics = Metrics()
    study = StudyKey('a"b\\c\nd', "\N{SNOWMAN}", "u")
    metrics.study_shown(study, STATUS)
    labels = {"namespace": 'a"b\\c\nd', "study": "\N{SNOWMAN}", "objective": "accuracy"}
    assert metrics.registry.get_sample_value("tuning_best_value", labels) == 0.9
    assert any(dict(labels).get("study") == "\N{SNOWMAN}" for _, labels in _samples(metrics))


def test_a_clock_that_went_back_is_no_negative_time() -> None:
    metrics = Metrics()
    metrics.first_job_posted(_study(), -5.0)
    assert metrics.registry.get_sample_value("tuning_study_start_seconds_sum") == 0.0


async def test_a_blocked_event_loop_is_noticed() -> None:
    metrics = Metrics()
    watching = asyncio.create_task(watch_event_loop(metrics, interval=0.01))
    try:
        stall = 0.0
        while stall < 0.2:
            await asyncio.sleep(0.03)
            time.sleep(0.3)  # noqa: ASYNC251 - blocking the loop is what is tested
            await asyncio.sleep(0.03)
            stall = metrics.registry.get_sample_value("tuning_event_loop_stall_seconds") or 0.0
    finally:
        watching.cancel()
    assert stall < 60.0


def test_the_reference_page_is_up_to_date() -> None:
    assert (ROOT / REFERENCE).read_text() == reference_page(), "run python -m tuning_operator.metrics.reference"


def test_the_check_of_the_reference_page_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"python -m tuning_operator\.metrics\.reference"):
        main(["--check"])
    main([])
    main(["--check"])
    (tmp_path / REFERENCE).write_text("something else")
    with pytest.raises(SystemExit, match="out of date"):
        main(["--check"])
