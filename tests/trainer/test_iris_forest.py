from __future__ import annotations

from typing import Any

import pytest

import tuning_trainer as tuning
from tuning_trainer.tasks.iris_forest import IRIS_FOREST, train
from tuning_trainer.tasks.parameters import read_all
from tuning_trainer.testing import FakeStudy, fake_study

pytestmark = pytest.mark.training


def trained(seed: int = 0, run: int = 0, folds: int | None = None, **parameters: Any) -> FakeStudy:
    with fake_study(parameters, seed=seed, run=run, folds=folds) as study:
        train(tuning.current_trial(), read_all(IRIS_FOREST.parameters, parameters))
    return study


def test_one_report_holds_the_accuracy_and_the_effective_depth() -> None:
    (report,) = trained(n_estimators=12, max_depth=4.4194).reports
    assert report.step == 1
    assert report.values["accuracy"] >= 0.93
    assert report.values["accuracy"] * 150 == pytest.approx(round(report.values["accuracy"] * 150))
    assert report.values["effective_max_depth"] == 4.0


def test_the_seed_decides_the_result() -> None:
    results = [trained(seed=seed, n_estimators=2, max_depth=1.0).values("accuracy")[0] for seed in (1, 1, 2, 3, 4)]
    assert results[0] == results[1]
    assert len(set(results)) > 1


def test_the_mean_over_the_folds_is_what_scikit_learns_cross_validation_finds() -> None:
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import cross_val_score

    forest = RandomForestClassifier(n_estimators=5, max_depth=3, random_state=7)
    expected = cross_val_score(forest, *load_iris(return_X_y=True), cv=5)
    folds = [trained(seed=7, run=run, folds=5, n_estimators=5, max_depth=3.0).values("accuracy")[0] for run in range(5)]
    assert folds == pytest.approx(list(expected))


def test_a_repeated_cross_validation_splits_anew_and_alike_for_all_trials() -> None:
    accuracies = [
        [trained(seed=seed, run=run, folds=2, n_estimators=3, max_depth=1.0).values("accuracy")[0] for run in range(6)]
        for seed in (7, 7, 8)
    ]
    assert accuracies[0] == accuracies[1]
    assert len({tuple(accuracies[0][repeat : repeat + 2]) for repeat in (0, 2, 4)}) > 1
