"""`tuning preview`: what a study would do."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.cli.workplace import Workplace, study_document


def test_a_wrapped_pruner_is_shown_with_its_options(workplace: Workplace) -> None:
    pruner = {
        "name": "Patient",
        "options": {"patience": 3, "wrappedPruner": {"name": "Threshold", "options": {"lower": 0.5}}},
    }
    workplace.write(study_document(search={"pruner": pruner}))
    called = workplace.call("preview", "study.yaml", "--suggestions", "0", "-o", "json")
    assert called.status == 0
    called = workplace.call("preview", "study.yaml", "--suggestions", "0")
    assert "Patient  patience 3  minDelta 0  wrappedPruner (Threshold  lower 0.5" in called.out


@pytest.mark.parametrize("is_wrapped", [False, True])
def test_hyperbands_brackets_are_shown(workplace: Workplace, is_wrapped: bool) -> None:
    pruner: dict[str, Any] = {"name": "Hyperband", "options": {"maxResource": 27}}
    if is_wrapped:
        pruner = {"name": "Patient", "options": {"patience": 2, "wrappedPruner": pruner}}
    workplace.write(study_document(search={"pruner": pruner}))
    called = workplace.call("preview", "study.yaml", "--suggestions", "0")
    assert "compare after 1 3 9  |  3 9  |  9  |  never" in called.out


def test_the_rungs_of_successive_halving_are_shown(workplace: Workplace) -> None:
    pruner = {"name": "SuccessiveHalving", "options": {"minResource": 2, "reductionFactor": 3}}
    workplace.write(study_document(search={"pruner": pruner}))
    called = workplace.call("preview", "study.yaml", "--suggestions", "0")
    assert "compare after 2 6 18 54 162 …" in called.out


def test_a_population_that_fills_the_whole_study_is_named(workplace: Workplace) -> None:
    workplace.write(study_document(search={"sampler": {"name": "NSGAII"}}))
    told = " ".join(workplace.call("preview", "study.yaml", "--suggestions", "0").out.split())
    assert "`maxTrials` is 5, and NSGAII draws the first 50 trials at random" in told


def test_a_strategys_schedule_and_cost_are_shown(workplace: Workplace) -> None:
    sampler = {"name": "SynchronousHyperband", "options": {"maxResource": 27}}
    document = study_document(search={"sampler": sampler}, maxTrials=60)
    document["spec"]["trial"]["checkpoints"] = {"claimName": "claim"}
    workplace.write(document)
    called = workplace.call("preview", "study.yaml", "--suggestions", "60")
    assert "27 to 1, 9 to 3, 3 to 9, 1 to 27" in called.out
    assert "70 trials with 375 steps (epochs) in all" in called.out
    assert "maxTrials ends it after 60 trials with about 195 steps" in called.out
    shown = json.loads(workplace.call("preview", "study.yaml", "--suggestions", "60", "-o", "json").out)
    assert shown["plannedTrainings"] == 60
    assert (shown["schedule"]["trials"], shown["schedule"]["steps"]) == (70, 375)
    assert shown["schedule"]["rows"][3] == [{"trials": 4, "steps": 27}]
    assert len(shown["suggestions"]) == 27, "what depends on no result: then come the best of them, or more new ones"


def test_a_schedule_counts_the_steps_of_all_runs(workplace: Workplace) -> None:
    sampler = {"name": "SynchronousHyperband", "options": {"maxResource": 9}}
    document = study_document(search={"sampler": sampler}, maxTrials=100)
    document["spec"]["trial"] |= {"checkpoints": {"claimName": "claim"}, "repeats": 2}
    workplace.write(document)
    called = workplace.call("preview", "study.yaml", "--suggestions", "0")
    assert "23 trials with 75 steps (epochs) in all" in called.out
    assert "150 steps with 2 runs of each trial" in called.out
    assert json.loads(workplace.call("preview", "study.yaml", "-o", "json").out)["plannedEpochs"] == 150


def test_enqueued_trials_that_are_not_planned_are_named(workplace: Workplace) -> None:
    enqueue = [{"x": 0.1 * number} for number in range(3)]
    workplace.write(study_document(search={"enqueue": enqueue}, maxTrials=2, parallelism=1))
    called = workplace.call("preview", "study.yaml", "--suggestions", "0")
    assert "3 trials" in called.out
    assert "`search.enqueue[2]` is not planned to be run" in called.out
    assert json.loads(workplace.call("preview", "study.yaml", "-o", "json").out)["enqueuedPlanned"] == 2


def test_iterations_of_a_schedule_are_shown_once(workplace: Workplace) -> None:
    options = {"maxResource": 9, "iterations": 1000}
    document = study_document(search={"sampler": {"name": "SynchronousHyperband", "options": options}})
    document["spec"]["trial"]["checkpoints"] = {"claimName": "claim"}
    workplace.write(document)
    lines = workplace.call("preview", "study.yaml", "--suggestions", "0").out.splitlines()
    assert sum("to 9" in line for line in lines) == 3, "a line for each bracket"
    assert "           x 1,000" in [line.rstrip() for line in lines]
    assert any("23,000 trials with 75,000 steps" in line for line in lines)
    shown = json.loads(workplace.call("preview", "study.yaml", "--suggestions", "0", "-o", "json").out)["schedule"]
    assert (shown["trials"], len(shown["rows"]), shown["times"]) == (23000, 3, 1000)


def test_constraints_are_shown_with_the_share_of_the_space_that_they_leave(workplace: Workplace) -> None:
    document = study_document(search={"seed": 7})
    document["spec"]["constraints"] = ["x < 0.5 ||\n  kind == 'on'"]
    workplace.write(document)
    shown = workplace.call("preview", "study.yaml", "--suggestions", "0").out
    assert "x < 0.5 || kind == 'on'" in shown
    assert "% of random points" in shown
    as_json = json.loads(workplace.call("preview", "study.yaml", "-o", "json").out)
    assert as_json["constraints"] == document["spec"]["constraints"]
    assert 0.7 < as_json["feasibleShare"] < 0.8
    for suggestion in as_json["suggestions"]:
        assert suggestion["parameters"]["x"] < 0.5 or suggestion["parameters"]["kind"] == "on"


@pytest.mark.parametrize("arguments", [[], ["--suggestions", "0"], ["-o", "json"], ["--job"]])
def test_a_study_whose_constraints_leave_no_trial_is_refused_with_the_reason(
    workplace: Workplace, arguments: list[str]
) -> None:
    """The one that is enqueued can't be completed, though others are feasible."""
    workplace.write(study_document(constraints=["x < 0.2 || kind == 'on'"], search={"enqueue": [{"x": 0.9}]}))
    assert workplace.call("preview", "study.yaml", *arguments).status == 0
    workplace.write(
        study_document(constraints=["x < 0.2 || (kind == 'a' && kind == 'on')"], search={"enqueue": [{}, {"x": 0.9}]})
    )
    called = workplace.call("preview", "study.yaml", *arguments)
    assert called.status == 2
    assert "search.enqueue[1]" in called.err


def test_what_a_run_would_know_of_its_warm_start_is_shown(workplace: Workplace) -> None:
    table = "x, kind, score\n0.5, a, 0.4\n0.5, c, 0.5\n"
    sources = [{"csv": table}, {"study": "earlier"}]
    workplace.write(study_document(search={"sampler": {"name": "TPE"}, "warmStart": sources}))
    shown = workplace.call("preview", "study.yaml", "--suggestions", "1").out
    assert "other studies are read when this one starts" in shown
    assert not (workplace.path / ".tuning").exists()
    workplace.write(study_document(search={"sampler": {"name": "TPE"}, "warmStart": sources[:1]}))
    as_json = json.loads(workplace.call("preview", "study.yaml", "-o", "json").out)
    assert as_json["warmStart"] == (
        "1 of 2 complete trials of the CSV are used (left out: `kind` lies outside of its values in 1)"
    )
    assert "warm start: 1 of 2 complete trials of the CSV are used" in workplace.call("run", "study.yaml").out
    again = study_document(search={"sampler": {"name": "TPE"}, "warmStart": [{"study": as_json["study"]}]})
    again["metadata"]["name"] = "again"
    workplace.write(again)
    assert "5 of 5 complete trials of the study" in workplace.call("preview", "study.yaml").out
    again["spec"]["search"]["warmStart"] = [{"study": "nowhere"}]
    workplace.write(again)
    told = " ".join(workplace.call("preview", "study.yaml").out.split())
    assert "a run on this machine can't read it" in told
    assert "is not in the storage, or not for this namespace; correct the name" in told
    assert "the suggestions shown are made without those studies" in told
    assert workplace.call("run", "study.yaml").status == 2


def test_suggestions_are_made_with_what_other_studies_found(workplace: Workplace) -> None:
    workplace.write(study_document(maxTrials=4))
    workplace.call("run", "study.yaml")
    sampler = {"name": "TPE", "options": {"nStartupTrials": 1}}
    informed, not_informed = (
        study_document(maxTrials=1, parallelism=1, search={"sampler": sampler, "seed": 1, **further})
        for further in ({"warmStart": [{"study": "quick"}]}, {})
    )
    shown = []
    for document in (informed, not_informed):
        document["metadata"]["name"] = "again"
        workplace.write(document)
        shown.append(json.loads(workplace.call("preview", "study.yaml", "-o", "json").out)["suggestions"])
    workplace.write(informed)
    workplace.call("run", "study.yaml")
    (trial,) = json.loads(workplace.call("trials", "study.yaml", "-o", "json").out)
    assert shown[0][0]["parameters"] == trial["parameters"] != shown[1][0]["parameters"]


def test_the_space_the_cost_and_the_methods_are_shown(workplace: Workplace) -> None:
    document = study_document(search={"sampler": {"name": "TPE"}, "pruner": {"name": "Median"}, "seed": 7})
    container = document["spec"]["trial"]["template"]["spec"]["containers"][0]
    container["resources"] = {"limits": {"nvidia.com/gpu": 2}}
    document["spec"]["parameters"].append({"name": "rate", "type": "Float", "low": 1e-5, "high": 1, "scale": "Log"})
    when = {"parameter": "kind", "in": ["on"], "otherwise": 1}
    document["spec"]["parameters"].append(
        {"name": "warmup", "type": "Int", "low": 1, "high": 9, "scale": "ReverseLog", "when": when}
    )
    workplace.write(document)
    called = workplace.call("preview", "study.yaml", "--suggestions", "0")
    assert called.status == 0
    assert "5, 2 at a time, 2 GPUs each" in called.out
    assert "TPE  nStartupTrials 10" in called.out
    assert "Median  nStartupTrials 5" in called.out
    words = [line.split() for line in called.out.splitlines()]
    assert ["rate", "Float", "1e-05", "…", "1", "log"] in words
    assert ["kind", "Categorical", "a,", "on"] in words
    assert ["warmup", "Int", "1", "…", "9", "reverse", "log", "kind", "is", "on;", "else", "1"] in words
    assert ["batch", "Fixed", "32"] in words
    assert "suggestion" not in called.out


def test_a_walk_has_as_many_trainings_as_points(workplace: Workplace) -> None:
    parameters = [
        {"name": "rate", "type": "Float", "low": 1e-4, "high": 1e-1, "scale": "Log"},
        {"name": "layers", "type": "Int", "low": 1, "high": 3},
    ]
    search = {"sampler": {"name": "Grid", "options": {"points": 4}}}
    document = study_document(maxTrials=100, parameters=parameters, search=search)
    document["spec"]["trial"]["repeats"] = 2
    workplace.write(document)
    shown = json.loads(workplace.call("preview", "study.yaml", "-o", "json").out)
    assert (shown["points"], shown["plannedTrainings"]) == (12, 24)
    table = workplace.call("preview", "study.yaml", "--suggestions", "0").out
    assert "12, each at most once" in table
    assert "24 (12 trials x 2 repeats)" in table


def test_points_that_constraints_forbid_cost_no_training(workplace: Workplace) -> None:
    parameters = [{"name": name, "type": "Int", "low": 1, "high": high} for name, high in (("a", 4), ("b", 3))]
    search = {"sampler": {"name": "Grid"}}
    document = study_document(maxTrials=100, parameters=parameters, search=search, constraints=["a * b <= 6"])
    document["spec"]["trial"]["folds"] = 5
    workplace.write(document)
    shown = json.loads(workplace.call("preview", "study.yaml", "-o", "json").out)
    assert (shown["points"], shown["plannedTrainings"]) == (9, 45)


def test_the_first_suggestions_are_those_that_are_run(workplace: Workplace) -> None:
    workplace.write(study_document(maxTrials=3, parallelism=1))
    shown = json.loads(workplace.call("preview", "study.yaml", "-o", "json").out)
    assert shown["plannedTrainings"] == 3
    assert not (workplace.path / ".tuning").exists(), "a preview leaves nothing behind"
    workplace.call("run", "study.yaml")
    trials = json.loads(workplace.call("trials", "study.yaml", "-o", "json").out)
    assert shown["suggestions"] == [{"number": t["number"], "parameters": t["parameters"]} for t in trials]


def test_the_job_is_the_operators(workplace: Workplace) -> None:
    workplace.write(study_document("--x=$(PARAM_x)", search={"seed": 1, "enqueue": [{"x": 0.5, "kind": "a"}]}))
    called = workplace.call("preview", "study.yaml", "--job")
    job = yaml.safe_load(called.out)
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert {"name": "PARAM_x", "value": "0.5"} in container["env"]
    assert json.loads(workplace.call("preview", "study.yaml", "--job", "-o", "json").out) == job


def test_texts_are_shown_as_they_are_whatever_they_mean_to_a_terminal_library(workplace: Workplace) -> None:
    document = study_document(search={"seed": 7})
    choices = ["[/b]", "[red]x", ":smile:"]
    document["spec"]["parameters"] = [{"name": "kind", "type": "Categorical", "choices": choices}]
    workplace.write(document)
    called = workplace.call("preview", "study.yaml")
    assert called.status == 0
    assert "[/b], [red]x, :smile:" in called.out


def test_a_study_whose_code_names_the_parameters_says_so(workplace: Workplace) -> None:
    document = study_document(search={"seed": 7})
    document["spec"] |= {"parameters": [], "defineByRun": True}
    workplace.write(document)
    called = workplace.call("preview", "study.yaml")
    assert called.status == 0
    assert "the trials' code names its parameters while it runs" in called.out
    assert json.loads(workplace.call("preview", "study.yaml", "-o", "json").out)["defineByRun"] is True
