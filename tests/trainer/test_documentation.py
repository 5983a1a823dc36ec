from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tuning_contract import TrialEnvironment
from tuning_trainer import Trial
from tuning_trainer.channels import SilentReports
from tuning_trainer.session import replaced_trial
from tuning_trainer.testing import fake_study

PAGE = (Path(__file__).parents[2] / "docs" / "training-scripts.md").read_text()


def test_the_page_names_every_variable_that_a_container_gets() -> None:
    environment = TrialEnvironment(
        study="s",
        namespace="n",
        trial=0,
        parameters={},
        folds=5,
        report_url="u",
        report_token="t",
        report_token_file="f",
        report_ca="c",
        parameter_url="p",
        checkpoint_dir="c",
        resume_from="c",
        seed=1,
        budget=1,
        objective="m",
        objectives=("m", "n"),
    )
    documented = set(re.findall(r"`(TUNING_\w+)`", PAGE))
    assert set(environment.variables()) == documented


def snippet(marker: str) -> str:
    """Return the page's only piece of Python that holds a text."""
    pieces = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (found,) = [piece for piece in pieces if marker in piece]
    return str(found)


def trained_until(last_epoch: int | None) -> Callable[..., float]:
    """Return the `train_epoch` that the snippets speak of; its process dies after some epochs."""
    epochs = 0

    def train_epoch(*_: object) -> float:
        nonlocal epochs
        epochs += 1
        if last_epoch is not None and epochs > last_epoch:
            raise InterruptedError
        return 0.5

    return train_epoch


@pytest.mark.training
def test_the_training_with_checkpoints_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    text = snippet("trial.resume()")
    with pytest.raises(InterruptedError), fake_study(checkpoint_dir=tmp_path) as first:
        exec(text, {"train_epoch": trained_until(3)})
    with fake_study(checkpoint_dir=tmp_path, attempt=2) as second:
        exec(text, {"train_epoch": trained_until(None)})
    assert [report.step for report in first.reports] == [1, 2, 3]
    assert [report.step for report in second.reports] == list(range(4, 26))


@pytest.mark.training
def test_the_training_with_checkpoints_runs_outside_a_study_too(caplog: pytest.LogCaptureFixture) -> None:
    with replaced_trial(Trial(None, SilentReports())):
        exec(snippet("trial.resume()"), {"train_epoch": trained_until(None)})
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
