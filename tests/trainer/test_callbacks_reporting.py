from __future__ import annotations

import subprocess
import sys

import torch

from tuning_trainer.callbacks.reporting import MetricChoice


def test_without_a_choice_all_scalars_with_a_valid_name_are_reported() -> None:
    logged = {
        "loss": torch.tensor(0.5),
        "accuracy": 0.9,
        "bad name": 1.0,
        "confusion": torch.ones(2, 2),
        "per_class": [0.1, 0.2],
        "device": "cpu",
    }
    assert MetricChoice(None).of(logged).keys() == {"loss", "accuracy"}


def test_a_chosen_metric_is_reported_under_the_studys_name() -> None:
    assert MetricChoice({"val_acc": "accuracy"}).of({"val_acc": 0.9, "loss": 1.0}) == {"accuracy": 0.9}


def test_the_sdk_imports_no_training_framework() -> None:
    frameworks = "{'torch', 'lightning', 'pytorch_lightning', 'keras', 'transformers'}"
    check = f"import sys, tuning_trainer, tuning_trainer.callbacks; print(sorted({frameworks} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
