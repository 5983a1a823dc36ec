"""`tuning run` that is stopped, killed, or started twice: nothing is lost, doubled or left over."""

from __future__ import annotations

import json
import signal

from tests.cli.workplace import Workplace, study_document, until
from tests.local.processes import is_running


def test_the_first_ctrl_c_lets_running_trials_finish_and_the_next_run_goes_on(workplace: Workplace) -> None:
    workplace.write(study_document("wait"))
    with workplace.start("run", "study.yaml") as run:
        until(lambda: len(workplace.pids()) == 2, "no trials run")
        states = [trial["state"] for trial in json.loads(workplace.call("trials", "study.yaml", "-o", "json").out)]
        assert set(states) <= {"WAITING", "RUNNING"}
        assert len(states) == 2
        run.send(signal.SIGINT)
        workplace.let_go()
        called = run.end()
    assert called.status == 130, called.err
    assert "draining: 2 running trials may finish; Ctrl-C again stops now" in called.out
    assert "not finished; `tuning run study.yaml` goes on where it ended" in called.out
    assert sorted(workplace.pids()) == [(0, 1), (1, 1)]
    assert _states(workplace) == ["COMPLETE", "COMPLETE"]

    called = workplace.call("run", "study.yaml")
    assert called.status == 0
    assert called.out.startswith("resuming: 2 of 5 trials are done")
    assert sorted(workplace.pids()) == [(number, 1) for number in range(5)]
    assert _states(workplace) == ["COMPLETE"] * 5


def test_the_second_ctrl_c_stops_and_cut_off_trials_start_over_under_their_numbers(workplace: Workplace) -> None:
    workplace.write(study_document("wait"))
    with workplace.start("run", "study.yaml") as run:
        until(lambda: len(workplace.running()) == 2, "no trials run")
        run.send(signal.SIGINT)
        until(lambda: run.has_said("draining"), "the first Ctrl-C is not heard")
        run.send(signal.SIGINT)
        called = run.end()
    assert called.status == 130, called.err
    assert "stopping: running trials are cut off" in called.out
    assert not workplace.running()

    workplace.let_go()
    assert workplace.call("run", "study.yaml").status == 0
    newest = {number: max(attempt for other, attempt in workplace.pids() if other == number) for number in range(5)}
    assert newest[0] > 1
    assert newest[1] > 1
    assert [newest[number] for number in (2, 3, 4)] == [1, 1, 1]
    assert _states(workplace) == ["COMPLETE"] * 5


def test_sigterm_stops_at_once(workplace: Workplace) -> None:
    workplace.write(study_document("wait"))
    with workplace.start("run", "study.yaml") as run:
        until(lambda: len(workplace.running()) == 2, "no trials run")
        run.send(signal.SIGTERM)
        called = run.end()
    assert called.status == 143, called.err
    assert not workplace.running()


def test_a_killed_run_leaves_no_process_and_no_trial_behind(workplace: Workplace) -> None:
    workplace.write(study_document("wait"))
    with workplace.start("run", "study.yaml") as run:
        until(lambda: len(workplace.running()) == 2, "no trials run")
        pids = set(workplace.pids().values())
        run.send(signal.SIGKILL)
        assert run.end().status == -signal.SIGKILL
    until(lambda: not any(is_running(pid) for pid in pids), "a trial outlives its runner")

    workplace.let_go()
    called = workplace.call("run", "study.yaml")
    assert called.status == 0, called.err
    trials = json.loads(workplace.call("trials", "study.yaml", "-o", "json").out)
    assert [(trial["number"], trial["state"], trial["attempt"]) for trial in trials] == [
        (0, "COMPLETE", 2),
        (1, "COMPLETE", 2),
        (2, "COMPLETE", 1),
        (3, "COMPLETE", 1),
        (4, "COMPLETE", 1),
    ]


def test_a_study_runs_once_at_a_time(workplace: Workplace) -> None:
    workplace.write(study_document("wait"))
    with workplace.start("run", "study.yaml") as run:
        until(lambda: len(workplace.pids()) == 2, "no trials run")
        second = workplace.call("run", "study.yaml")
        assert second.status == 1
        assert second.err.startswith("error: the study quick is running already (process ")
        workplace.let_go()
        assert run.end().status == 0
    assert _states(workplace) == ["COMPLETE"] * 5


def _states(workplace: Workplace) -> list[str]:
    return [trial["state"] for trial in json.loads(workplace.call("trials", "study.yaml", "-o", "json").out)]
