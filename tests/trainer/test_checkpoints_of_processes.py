"""Checkpoints of trainings that are killed, as on a lost node."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

import tuning_trainer as tuning
from tests.trainer.fake_operator import FakeOperator
from tests.trainer.scripts import Script
from tuning_trainer.testing import fake_study

pytestmark = pytest.mark.training

SAVES_FOR_EVER = """\
import itertools, torch
import tuning_trainer as tuning

trial = tuning.current_trial()
checkpoint = trial.resume()
start = checkpoint.step if checkpoint else 0
assert checkpoint is None or bool((checkpoint.state["weights"] == start).all())
for step in itertools.count(start + 1):
    trial.save({"weights": torch.full((300, 300), step)}, step=step)
    print(step, flush=True)
"""


def reports_and_is_killed(delivery_seconds: float) -> str:
    """Return a script that is killed right after its first checkpoint."""
    return f"""\
import os, signal
import tuning_trainer as tuning
import tuning_trainer.trial

tuning_trainer.trial.DELIVERY_SECONDS = {delivery_seconds}
trial = tuning.current_trial()
trial.report({{"loss": 0.5}}, step=1)
trial.save({{}}, step=1)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_training_killed_at_any_moment_goes_on_from_what_it_saved(script: Script, tmp_path: Path) -> None:
    said = 0
    for attempt, lines in enumerate((1, 7, 20), start=1):
        with script.start(SAVES_FOR_EVER, checkpoint_dir=str(tmp_path / "checkpoints"), attempt=attempt) as training:
            assert training.stdout is not None
            steps = [int(training.stdout.readline()) for _ in range(lines)]
            assert steps[0] > said
            training.kill()
            rest, errors = training.communicate()
        said = int(rest.split()[-1]) if rest.split() else steps[-1]
        assert training.returncode == -signal.SIGKILL, errors
    assert newest(tmp_path / "checkpoints") >= said


def test_what_was_reported_before_a_checkpoint_is_delivered_before_it_is_there(
    operator: FakeOperator, script: Script, tmp_path: Path
) -> None:
    result = script.run(reports_and_is_killed(60), checkpoint_dir=str(tmp_path / "checkpoints"))
    assert result.returncode == -signal.SIGKILL, result.stderr
    assert newest(tmp_path / "checkpoints") == 1
    assert operator.steps == [1]


def test_a_script_can_wait_for_its_reports_before_it_writes_a_file_of_its_own(
    operator: FakeOperator, script: Script
) -> None:
    text = reports_and_is_killed(60).replace("trial.save({}, step=1)", "trial.flush()")
    result = script.run(text)
    assert result.returncode == -signal.SIGKILL, result.stderr
    assert operator.steps == [1]


def test_a_checkpoint_does_not_wait_for_ever_for_an_operator_that_is_away(
    operator: FakeOperator, script: Script, tmp_path: Path
) -> None:
    operator.stop()
    result = script.run(reports_and_is_killed(0.1), checkpoint_dir=str(tmp_path / "checkpoints"))
    assert result.returncode == -signal.SIGKILL, result.stderr
    assert newest(tmp_path / "checkpoints") == 1


def newest(directory: Path) -> int:
    """Return the step that the next attempt would go on from."""
    with fake_study(attempt=99, checkpoint_dir=directory):
        checkpoint = tuning.current_trial().resume()
    assert checkpoint is not None
    return checkpoint.step
