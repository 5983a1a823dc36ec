"""`tuning run`: whole studies with real processes."""

from __future__ import annotations

import json

import pytest

from tests.cli.workplace import Workplace, study_document
from tests.search.broken_sampler import break_samplers


def test_a_study_runs_to_its_end_and_is_printed_again_afterwards(workplace: Workplace) -> None:
    workplace.write(study_document())
    first = workplace.call("run", "study.yaml")
    assert first.status == 0, first.err
    lines = first.out.splitlines()
    assert lines[0].startswith("study quick: maximize score in 5 trials")
    ended = [line for line in lines if line.startswith("[")]
    assert [line.split("]")[0] for line in ended] == [f"[{done}/5" for done in range(1, 6)]
    assert "✔ 5 complete" in first.out
    assert "★ best  trial " in first.out
    assert "tuning trials study.yaml" in first.out

    second = workplace.call("run", "study.yaml")
    assert second.status == 0
    assert second.out.startswith("all 5 trials of quick are done already")
    assert not any(line.startswith("[") for line in second.out.splitlines())
    assert _table(second.out) == _table(first.out)
    assert len(workplace.pids()) == 5


def test_the_trials_are_sorted_by_value_and_the_best_parameters_can_be_copied(workplace: Workplace) -> None:
    workplace.write(study_document(search={"sampler": {"name": "Random"}, "enqueue": [{"x": 1, "kind": "on"}]}))
    called = workplace.call("run", "study.yaml")
    values = [float(line.split()[3]) for line in _table(called.out)]
    assert values == sorted(values, reverse=True)
    assert values[0] == 3.0
    assert '  x: 1.0\n  kind: "on"\n  batch: 32\n' in called.out  # kubectl reads a bare `on` as true


def test_new_starts_a_new_history(workplace: Workplace) -> None:
    workplace.write(study_document(maxTrials=1, parallelism=1))
    workplace.call("run", "study.yaml")
    called = workplace.call("run", "study.yaml", "--new")
    assert called.status == 0
    assert called.out.startswith("study quick:")
    assert "[1/1]" in called.out
    assert len(list((workplace.path / ".tuning" / "logs").iterdir())) == 2


def test_more_trials_go_on_where_the_study_ended(workplace: Workplace) -> None:
    workplace.write(study_document(maxTrials=2))
    workplace.call("run", "study.yaml")
    workplace.write(study_document(maxTrials=3))
    called = workplace.call("run", "study.yaml")
    assert called.out.startswith("resuming: 2 of 3 trials are done")
    assert "[3/3] trial 2" in called.out
    assert sorted(workplace.pids()) == [(0, 1), (1, 1), (2, 1)]


def test_another_search_space_needs_a_new_history(workplace: Workplace) -> None:
    workplace.write(study_document(maxTrials=1, parallelism=1))
    workplace.call("run", "study.yaml")
    changed = study_document(maxTrials=2)
    changed["spec"]["parameters"][0]["high"] = 2
    workplace.write(changed)
    called = workplace.call("run", "study.yaml")
    assert called.status == 2
    assert called.err.startswith("error: ")
    assert workplace.call("run", "study.yaml", "--new").status == 0


def test_json_is_the_studys_status_and_progress_goes_to_stderr(workplace: Workplace) -> None:
    workplace.write(study_document(maxTrials=1, parallelism=1))
    called = workplace.call("run", "study.yaml", "-o", "json")
    status = json.loads(called.out)
    assert status["phase"] == "Complete"
    assert status["trials"]["complete"] == 1
    assert "readToken" not in status
    assert "[1/1] trial 0" in called.err


def test_a_failed_study_exits_with_1_and_tells_why_and_where_the_log_is(workplace: Workplace) -> None:
    workplace.write(study_document("fail", maxTrials=2, parallelism=1))
    called = workplace.call("run", "study.yaml")
    assert called.status == 1
    assert "● Failed" in called.out
    assert "exited with code 1" in called.out
    log = next(line.split("log: ")[1] for line in called.out.splitlines() if "log: " in line)
    assert "out of paint" in (workplace.path / log).read_text()
    assert workplace.call("best", "study.yaml").status == 1


def test_a_template_that_can_not_run_here_is_refused_before_anything_starts(workplace: Workplace) -> None:
    document = study_document()
    del document["spec"]["trial"]["template"]["spec"]["containers"][0]["command"]
    workplace.write(document)
    called = workplace.call("run", "study.yaml")
    assert called.status == 2
    assert "no `command`" in called.err
    assert "Traceback" not in called.err


def test_a_template_that_can_not_run_any_more_is_refused_when_the_study_is_resumed(workplace: Workplace) -> None:
    workplace.write(study_document(maxTrials=1, parallelism=1))
    workplace.call("run", "study.yaml")
    document = study_document(maxTrials=2)
    document["spec"]["trial"]["template"]["spec"]["containers"][0]["command"] = ["no-such-trainer"]
    workplace.write(document)
    called = workplace.call("run", "study.yaml")
    assert called.status == 2
    assert "no-such-trainer" in called.err


def test_a_suspended_study_is_told_instead_of_waiting_for_ever(workplace: Workplace) -> None:
    workplace.write(study_document(suspend={"enabled": True}))
    called = workplace.call("run", "study.yaml")
    assert called.status == 2
    assert "suspend" in called.err
    assert not workplace.pids()


def test_a_damaged_history_is_a_sentence(workplace: Workplace) -> None:
    (workplace.path / ".tuning").mkdir()
    (workplace.path / ".tuning" / "studies.db").write_text("no database at all, but long enough to be one " * 50)
    workplace.write(study_document())
    for command in ("run", "trials", "best"):
        called = workplace.call(command, "study.yaml")
        assert called.status == 1
        assert "SQLite" in called.err
        assert "Traceback" not in called.err


def test_a_sampler_with_a_defect_ends_the_run_once_its_trials_have_ended(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workplace.write(study_document(parallelism=1))
    with monkeypatch.context() as broken:
        break_samplers(broken, first=2)
        called = workplace.call("run", "study.yaml")
    assert called.status == 1
    assert called.err.startswith("error: the sampler Random failed with ZeroDivisionError: division by zero; ")
    assert "[2/5] trial 1" in called.out
    assert "Traceback" not in called.out + called.err
    (log,) = workplace.path.glob(".tuning/logs/*/run.log")
    assert "Traceback" in log.read_text()
    resumed = workplace.call("run", "study.yaml")
    assert resumed.status == 0
    assert resumed.out.startswith("resuming: 2 of 5 trials are done")


def test_a_sampler_that_fails_at_once_is_a_sentence_too(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    workplace.write(study_document())
    break_samplers(monkeypatch, first=0)
    called = workplace.call("run", "study.yaml")
    assert called.status == 1
    assert called.err.count("\n") == 1
    (log,) = workplace.path.glob(".tuning/logs/*/run.log")
    assert "Traceback" in log.read_text()


@pytest.mark.parametrize("parallelism", ["1", "2"])
def test_parallelism_can_be_lowered_for_this_machine(workplace: Workplace, parallelism: str) -> None:
    workplace.write(study_document(maxTrials=2))
    assert workplace.call("run", "study.yaml", "--parallelism", parallelism).status == 0
    assert sorted(workplace.pids()) == [(0, 1), (1, 1)]


def _table(out: str) -> list[str]:
    """Return the lines of the table of trials."""
    return [line for line in out.splitlines() if line[:1].isdigit() and ("complete" in line or "best" in line)]
