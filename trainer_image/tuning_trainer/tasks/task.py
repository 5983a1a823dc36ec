"""A task of the ready-made trainer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tuning_trainer.tasks.parameters import Parameter
from tuning_trainer.trial import Trial


@dataclass(frozen=True)
class Task:
    """What `--task` names: parameters and a function that trains with them and reports to the trial."""

    name: str
    summary: str
    """One line for `--help`: model, data, what is reported."""
    parameters: tuple[Parameter, ...]
    train: Callable[[Trial, Mapping[str, Any]], None]
    """Trains with a value for each parameter."""
    has_folds: bool = False
    """Whether it scores the fold of its run, where the study asks for a cross-validation."""
