"""The frameworks' own checkpoints in the trial's directory, as docs/how-to/checkpoints.md has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainer.lightning_line import LINE
from tests.trainer.scripts import Script

pytestmark = pytest.mark.training

LIGHTNING = f"""{LINE}
from lightning.pytorch.callbacks import ModelCheckpoint

def train(trial, epochs):
    trainer = Trainer(
        accelerator="cpu", logger=False, enable_progress_bar=False, max_epochs=epochs,
        callbacks=[TuningCallback(), ModelCheckpoint(dirpath=trial.checkpoint_dir, save_last=True)],
    )
    trainer.fit(Line(), loader(), ckpt_path="last")
"""

KERAS = """\
import os
os.environ["KERAS_BACKEND"] = "torch"
import keras, numpy
from tuning_trainer.callbacks.keras import TuningCallback

class Killed(keras.callbacks.Callback):
    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise InterruptedError

def train(trial, epochs):
    ones = numpy.ones((8, 1), dtype="float32")
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    callbacks = [keras.callbacks.BackupAndRestore(trial.checkpoint_dir), TuningCallback(), Killed(epochs)]
    model.fit(ones, ones, epochs=4, callbacks=callbacks, verbose=0)
"""

TRANSFORMERS = """\
import torch
from transformers import Trainer, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint
from tuning_trainer.callbacks.transformers import TuningCallback

class Line(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, x, labels):
        prediction = self.layer(x)
        return {"loss": (prediction - labels).square().mean(), "prediction": prediction}

def train(trial, epochs):
    rows = [{"x": torch.ones(1), "labels": torch.ones(1)}] * 8
    arguments = TrainingArguments(
        output_dir=trial.checkpoint_dir, save_strategy="epoch", save_total_limit=2, eval_strategy="epoch",
        num_train_epochs=epochs, use_cpu=True, report_to=[], disable_tqdm=True, dataloader_pin_memory=False,
    )
    trainer = Trainer(Line(), arguments, train_dataset=rows, eval_dataset=rows, callbacks=[TuningCallback()])
    trainer.train(resume_from_checkpoint=get_last_checkpoint(trial.checkpoint_dir))
"""

TWO_ATTEMPTS = """
import contextlib
import tuning_trainer as tuning
from tuning_trainer.testing import fake_study

reported = []
for attempt, epochs in ((1, 2), (2, 4)):
    with (
        contextlib.suppress(InterruptedError),
        fake_study(attempt=attempt, checkpoint_dir="{directory}/checkpoints") as study,
    ):
        train(tuning.current_trial(), epochs)
    reported.append([report.step for report in study.reports])
print(reported)
"""


@pytest.mark.parametrize("text", [LIGHTNING, KERAS, TRANSFORMERS], ids=["lightning", "keras", "transformers"])
def test_a_further_attempt_reports_the_epochs_that_are_left(script: Script, tmp_path: Path, text: str) -> None:
    """The first attempt gets through two epochs, the second one does the rest."""
    result = script.run(text + TWO_ATTEMPTS.format(directory=tmp_path), environ={"KERAS_HOME": str(tmp_path)})
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "[[1, 2], [3, 4]]", result.stdout + result.stderr
