from __future__ import annotations

import math
from typing import Any

import pytest

import tuning_trainer as tuning
from tests.trainer.digits_training import trained
from tuning_contract import FinalState, TrialEnd
from tuning_trainer.lr_range import sweep_rates
from tuning_trainer.tasks.digits_lr_range import DIGITS_LR_RANGE, train
from tuning_trainer.tasks.mlp import OPTIMIZERS
from tuning_trainer.tasks.parameters import read_all
from tuning_trainer.testing import FakeStudy, fake_study

pytestmark = pytest.mark.training


def swept(seed: int = 0, prune_at: int | None = None, **parameters: Any) -> FakeStudy:
    """Return what a range test with these parameters told its study."""
    with fake_study(parameters, seed=seed, prune_at=prune_at, objective="suggested_lr") as study:
        train(tuning.current_trial(), read_all(DIGITS_LR_RANGE.parameters, parameters))
    return study


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_suggested_rate_is_one_that_the_network_learns_well_with(optimizer: str) -> None:
    study = swept(optimizer=optimizer)
    (suggested,) = study.values("suggested_lr")
    assert trained(optimizer=optimizer, learning_rate=suggested, epochs=8).values("val_accuracy")[-1] > 0.85
    (low,), (high,) = study.values("range_min_lr"), study.values("range_max_lr")
    assert low < high


def test_each_rate_is_a_step_and_what_they_suggest_is_the_last_one() -> None:
    study = swept(lr_low=1e-4, lr_high=0.1, lr_steps=40)
    assert [report.step for report in study.reports] == list(range(1, 42))
    assert study.values("lr") == sweep_rates(1e-4, 0.1, 40)
    assert [set(report.values) for report in study.reports[:40]] == [{"lr", "loss", "smoothed_loss"}] * 40
    assert set(study.reports[40].values) == {
        "suggested_lr",
        "steepest_lr",
        "minimum_lr",
        "range_min_lr",
        "range_max_lr",
    }
    assert study.end == TrialEnd(FinalState.COMPLETE)


def test_a_sweep_that_diverges_ends_early_and_suggests_all_the_same() -> None:
    study = swept(optimizer="rmsprop")
    assert len(study.values("loss")) < 90
    assert len(study.values("suggested_lr")) == 1
    assert all(math.isfinite(loss) for loss in study.values("loss"))


def test_the_loss_may_be_that_of_the_validation_images() -> None:
    by_batch, by_validation = (swept(loss=loss, lr_steps=40) for loss in ("batch", "validation"))
    assert by_batch.values("loss") != by_validation.values("loss")
    assert by_validation.values("suggested_lr")[0] == pytest.approx(by_batch.values("suggested_lr")[0], rel=2.0)


def test_the_seed_decides_the_curve() -> None:
    first, again, other = (swept(seed=seed).reports[:20] for seed in (1, 1, 2))
    assert [report.values for report in first] == [report.values for report in again]
    assert [report.values for report in first] != [report.values for report in other]


def test_rates_at_which_nothing_is_learned_suggest_nothing() -> None:
    with pytest.raises(tuning.TrialFailed, match="the loss does not fall anywhere"):
        swept(lr_low=1e-8, lr_high=1e-6)
    with pytest.raises(tuning.TrialFailed, match=r"lr_low is 0\.1, which is not less than lr_high, 0\.1"):
        swept(lr_low=0.1, lr_high=0.1)


def test_a_loss_that_still_falls_at_the_highest_rate_is_said(caplog: pytest.LogCaptureFixture) -> None:
    swept(lr_high=0.005, optimizer="sgd", lr_steps=400)
    assert caplog.messages == ["The loss still falls at the highest rate: raise lr_high to see where it begins to rise"]


def test_a_pruned_test_stops() -> None:
    study = swept(prune_at=5)
    assert len(study.reports) == 5
    assert study.end == TrialEnd(FinalState.PRUNED)
