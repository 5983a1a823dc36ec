from __future__ import annotations

from typing import Any

import pytest

import tuning_trainer as tuning
from tuning_trainer.tasks.iris_forest import IRIS_FOREST, train
from tuning_trainer.tasks.parameters import read_all
from tuning_trainer.testing import FakeStudy, fake_study

pytestmark = pytest.mark.training


def trained(seed: int = 0, **parameters: Any) -> FakeStudy:
    with fake_study(parameters, seed=seed) as study:
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
