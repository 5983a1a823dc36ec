"""Trains the ready-made digits network as a trial of a study, in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tuning_trainer as tuning
from tuning_trainer.tasks.digits_mlp import DIGITS_MLP, train
from tuning_trainer.tasks.parameters import read_all
from tuning_trainer.testing import FakeStudy, fake_study


def trained(
    seed: int = 0,
    prune_at: int | None = None,
    budget: int | None = None,
    attempt: int = 1,
    checkpoint_dir: Path | None = None,
    resume_from: Path | None = None,
    **parameters: Any,
) -> FakeStudy:
    """Return what a training with these parameters told its study."""
    with fake_study(
        parameters,
        seed=seed,
        budget=budget,
        prune_at=prune_at,
        attempt=attempt,
        checkpoint_dir=checkpoint_dir,
        resume_from=resume_from,
    ) as study:
        train(tuning.current_trial(), read_all(DIGITS_MLP.parameters, parameters))
    return study
