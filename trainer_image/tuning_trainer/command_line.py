"""The ready-made trainer's command line: which task, and with which parameters.

A parameter is taken from its flag, else from the trial's parameters, else it has the task's default.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from tuning_contract import TrialEnvironmentError
from tuning_trainer.errors import TrialFailed
from tuning_trainer.session import current_trial
from tuning_trainer.tasks.parameters import ChoiceParameter, Parameter, read_all
from tuning_trainer.tasks.registry import TASKS
from tuning_trainer.tasks.task import Task

PROGRAM = "python -m tuning_trainer"


def main(arguments: Sequence[str]) -> None:
    """Train a task as the arguments and the environment say; wrong usage ends the process with status 2."""
    task, flags = parse(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    try:
        trial = current_trial()
        parameters = read_all(task.parameters, {**trial.parameters, **flags})
        if trial.folds is not None and not task.has_folds:
            raise ValueError(f"{task.name} splits its data in one way only; use trial.repeats instead of trial.folds")
    except (TrialEnvironmentError, ValueError) as error:
        task_parser(task).error(str(error))
    try:
        task.train(trial, parameters)
    except TrialFailed as failure:
        if trial.in_study:  # the process's end tells it
            raise
        sys.exit(f"the training failed: {failure}")
    trial.complete()


def parse(arguments: Sequence[str]) -> tuple[Task, Mapping[str, Any]]:
    """Return the task and the parameters that were given as flags."""
    first = argparse.ArgumentParser(PROGRAM, allow_abbrev=False, add_help=False)
    first.add_argument("--task")
    known, rest = first.parse_known_args(arguments)
    if known.task is None:
        _overview().parse_args(rest)  # answers --help
        _overview().error(f"--task is missing; the tasks are {', '.join(TASKS)}")
    if known.task not in TASKS:
        _overview().error(f"there is no task {known.task!r}; the tasks are {', '.join(TASKS)}")
    task = TASKS[known.task]
    flags = vars(task_parser(task).parse_args(arguments))
    return task, {name: value for name, value in flags.items() if name != "task" and value is not None}


def task_parser(task: Task) -> argparse.ArgumentParser:
    """Return the parser of one task's flags; a flag that is not given is None."""
    usage = f"{PROGRAM} --task={task.name} [--PARAMETER=VALUE ...]"
    parser = argparse.ArgumentParser(PROGRAM, usage=usage, description=task.summary, allow_abbrev=False)
    parser.add_argument("--task", required=True, choices=[task.name], help="the task")
    for parameter in task.parameters:
        parser.add_argument(
            "--" + parameter.name.replace("_", "-"),
            dest=parameter.name,
            metavar=_metavar(parameter),
            help=f"{parameter.help} (default: {parameter.default})",
        )
    return parser


def _metavar(parameter: Parameter) -> str:
    return (
        "|".join(parameter.choices) if isinstance(parameter, ChoiceParameter) else f"{parameter.low}..{parameter.high}"
    )


def _overview() -> argparse.ArgumentParser:
    width = max(map(len, TASKS)) + 2
    tasks = "\n".join(f"  {task.name:{width}}{task.summary}" for task in TASKS.values())
    parser = argparse.ArgumentParser(
        PROGRAM,
        usage=f"{PROGRAM} --task=TASK [--PARAMETER=VALUE ...]",
        description=f"Train one of these tasks; --task=TASK --help lists its parameters.\n\n{tasks}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--task", metavar="TASK", help="the task")
    return parser
