"""Trainings that go on from a framework's own checkpoints, as docs/how-to/checkpoints.md has them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import tuning_trainer as tuning
from tuning_trainer.testing import fake_study

Train = Callable[[Path, int], object]
"""Trains until so many epochs are done, with checkpoints in a directory. May end with InterruptedError."""

StepsOf = Callable[[Train, Path], list[list[int]]]
"""Runs two trainings in a directory, and returns the steps that each reports."""


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


def steps_of_parent_and_child(train: Train, directory: Path) -> list[list[int]]:
    """Return what a trial of two epochs reports, and what another one reports that goes on from it until the fourth."""
    reported = []
    for number, epochs, parent in ((0, 2, None), (1, 4, directory / "0")):
        with fake_study(
            number=number, budget=epochs, checkpoint_dir=directory / str(number), resume_from=parent
        ) as study:
            checkpoints = tuning.current_trial().checkpoint_dir
            assert checkpoints is not None
            train(checkpoints, epochs)
        reported.append([report.step for report in study.reports])
    return reported
