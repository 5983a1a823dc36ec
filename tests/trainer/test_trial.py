from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tuning_trainer as tuning
from tuning_contract import Report, TrialEnvironment
from tuning_contract.reports import MAX_METRICS_PER_REPORT, MAX_STEP
from tuning_trainer.channels import SilentReports
from tuning_trainer.testing import fake_study


class Channel(SilentReports):
    """Keeps the reports."""

    def __init__(self) -> None:
        super().__init__()
        self.reports: list[Report] = []

    def report(self, report: Report) -> None:
        self.reports.append(report)


def trial_of(**fields: Any) -> tuning.Trial:
    environment = TrialEnvironment(**{"study": "digits", "namespace": "team", "trial": 7, "parameters": {}, **fields})
    return tuning.Trial(environment, Channel())


def test_a_trial_shows_its_environment() -> None:
    trial = trial_of(
        parameters={"layers": 2}, seed=11, budget=9, objective="loss", checkpoint_dir="/ckpt/7", resume_from="/ckpt/3"
    )
    assert (trial.study, trial.number, trial.seed, trial.budget) == ("digits", 7, 11, 9)
    assert (trial.objective, trial.parameters, trial.in_study) == ("loss", {"layers": 2}, True)
    assert (trial.checkpoint_dir, trial.resume_from) == (Path("/ckpt/7"), Path("/ckpt/3"))


def test_runs_are_numbered_fold_by_fold_in_each_repeat() -> None:
    trials = [trial_of(run=run, folds=3) for run in range(6)]
    assert [(trial.repeat, trial.fold) for trial in trials] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    repeats = [trial_of(run=run) for run in range(2)]
    assert [(trial.repeat, trial.fold, trial.folds) for trial in repeats] == [(0, None, None), (1, None, None)]


def test_without_a_seed_the_number_is_the_seed() -> None:
    assert trial_of().seed == 7
    assert trial_of(seed=0).seed == 0


def test_outside_a_study_everything_has_a_value_that_a_script_can_use() -> None:
    trial = tuning.Trial(None, SilentReports())
    assert (trial.study, trial.number, trial.seed, trial.budget) == (None, 0, 0, None)
    assert (trial.objective, trial.checkpoint_dir, trial.resume_from) == (None, None, None)
    assert (trial.run, trial.repeat, trial.fold, trial.folds) == (0, 0, None, None)
    assert (trial.parameters, trial.in_study, trial.should_prune()) == ({}, False, False)


def test_the_numbers_of_numpy_and_pytorch_may_be_reported() -> None:
    import torch

    channel = Channel()
    trial = tuning.Trial(None, channel)
    trial.report({"a": np.float32(0.5), "b": torch.tensor(0.25), "c": 1}, step=np.int64(3))  # type: ignore[arg-type]
    assert [(report.step, report.values) for report in channel.reports] == [(3, {"a": 0.5, "b": 0.25, "c": 1.0})]


def test_diverged_values_are_reported_as_they_are() -> None:
    with fake_study() as study:
        tuning.current_trial().report({"loss": math.nan, "norm": math.inf}, step=1)
    assert math.isnan(study.reports[0].values["loss"])
    assert study.reports[0].values["norm"] == math.inf


@pytest.mark.parametrize("step", [0, -1, MAX_STEP + 1, 1.0, "1", None, True])
def test_a_step_that_does_not_count_from_one_is_refused(step: Any) -> None:
    with pytest.raises(tuning.ReportError, match="step"):
        trial_of().report({"loss": 0.5}, step=step)


@pytest.mark.parametrize("name", ["", "val loss", "loss\n", "-loss", "a" * 129, 3, None])
def test_a_metric_name_that_the_operator_would_refuse_is_refused(name: Any) -> None:
    with pytest.raises(tuning.ReportError, match=re.escape(f"{name!r} is not a metric name")):
        trial_of().report({name: 0.5}, step=1)


@pytest.mark.parametrize("value", ["high", None, [0.5], 10**400])
def test_a_value_that_is_no_number_is_refused_by_name(value: Any) -> None:
    with pytest.raises(tuning.ReportError, match="the value of metric 'loss' is"):
        trial_of().report({"loss": value}, step=1)


@pytest.mark.parametrize("count", [0, MAX_METRICS_PER_REPORT + 1])
def test_too_few_and_too_many_metrics_are_refused(count: int) -> None:
    with pytest.raises(tuning.ReportError, match=f"not {count}"):
        trial_of().report({f"m{i}": 0.0 for i in range(count)}, step=1)


def test_metrics_of_a_step_in_two_calls_are_refused_before_the_second_is_lost_silently() -> None:
    trial = trial_of()
    trial.report({"train_loss": 0.5}, step=1)
    with pytest.raises(tuning.ReportError, match="all metrics of a step in one call"):
        trial.report({"val_loss": 0.6}, step=1)


def test_a_report_that_was_refused_can_be_corrected() -> None:
    trial = trial_of()
    with pytest.raises(tuning.ReportError):
        trial.report({"val loss": 0.6}, step=1)
    trial.report({"val_loss": 0.6}, step=1)


def test_nothing_can_be_reported_after_the_end() -> None:
    trial = trial_of()
    trial.complete()
    with pytest.raises(tuning.ReportError, match="after the trial had ended"):
        trial.report({"loss": 0.5}, step=1)


def test_pruning_leaves_by_system_exit_zero() -> None:
    with pytest.raises(SystemExit) as raised:
        trial_of().prune()
    assert raised.value.code == 0
