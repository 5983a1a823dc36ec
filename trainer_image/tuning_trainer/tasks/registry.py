"""Which tasks there are. A new task is a new file and a line here."""

from __future__ import annotations

from tuning_trainer.tasks.digits_lr_range import DIGITS_LR_RANGE
from tuning_trainer.tasks.digits_mlp import DIGITS_MLP
from tuning_trainer.tasks.iris_forest import IRIS_FOREST
from tuning_trainer.tasks.task import Task

TASKS: dict[str, Task] = {task.name: task for task in (DIGITS_MLP, DIGITS_LR_RANGE, IRIS_FOREST)}
"""The tasks by the name that `--task` takes."""
