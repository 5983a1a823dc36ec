"""Two attempts of one trial with a framework's own checkpoints, as docs/how-to/checkpoints.md has them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import tuning_trainer as tuning
from tuning_trainer.testing import fake_study

Train = Callable[[Path, int], object]
"""Trains until so many epochs are done, with checkpoints in a directory. May end with InterruptedError."""


def steps_of_two_attempts(train: Train, directory: Path) -> list[list[int]]:
    """Return what each attempt reports when the first one gets through two epochs, and the second one does the rest."""
    reported = []
    for attempt, epochs in ((1, 2), (2, 4)):
        with suppress(InterruptedError), fake_study(attempt=attempt, checkpoint_dir=directory) as study:
            checkpoints = tuning.current_trial().checkpoint_dir
            assert checkpoints is not None
            train(checkpoints, epochs)
        reported.append([report.step for report in study.reports])
    return reported
