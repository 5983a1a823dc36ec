"""A study before it is run: its search space and what it will cost. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tuning_operator.api.metric_constraints import MetricConstraint
from tuning_operator.api.model import ResourceModel
from tuning_operator.api.parameters import Parameter, ParameterType, Scale
from tuning_operator.api.pruners import HyperbandOptions, PatientOptions, Pruner, SuccessiveHalvingOptions
from tuning_operator.api.search import Search
from tuning_operator.api.study import StudySpec
from tuning_operator.api.when import When
from tuning_operator.cli.columns import GAP, cell, parameter_columns
from tuning_operator.cli.formats import parameter_text, plural
from tuning_operator.cli.live_view import aim_of
from tuning_operator.cli.schedule_view import schedule_document, schedule_facts
from tuning_operator.cli.tables import pairs_table
from tuning_operator.cli.theme import FAINT
from tuning_operator.cli.trial_rows import TrialRow
from tuning_operator.decisions.enqueued import planned_enqueued, warnings_of_enqueued
from tuning_operator.decisions.first_generation import warnings_of_first_generation
from tuning_operator.decisions.gpus import gpus_of_trial, gpus_requested
from tuning_operator.decisions.planned_trainings import planned_trainings, planned_trials
from tuning_operator.search.feasible_points import SAMPLE, feasible_share
from tuning_operator.search.halving import first_rungs, rung_steps

_RUNGS = 5
"""Of successive halving, which are shown."""
_SCALES = {Scale.LINEAR: "linear", Scale.LOG: "log", Scale.REVERSE_LOG: "reverse log"}


def preview_document(
    name: str, spec: StudySpec, suggestions: Sequence[TrialRow], size: int | None, warm_start: Sequence[str]
) -> dict[str, Any]:
    """Return the preview as JSON."""
    return {
        "study": name,
        "objectives": [objective.to_document() for objective in spec.objectives],
        "metricConstraints": [constraint.to_document() for constraint in spec.metric_constraints],
        "plannedTrainings": planned_trainings(spec, size),
        "points": size,
        "repeats": spec.trial.repeats,
        "folds": spec.trial.folds,
        "parallelRuns": spec.trial.runs_at_once,
        "parallelism": spec.parallelism,
        "gpusPerTrial": gpus_of_trial(spec.trial),
        "search": _method_documents(spec.search),
        **schedule_document(spec),
        "parameters": [parameter.to_document() for parameter in spec.parameters],
        "defineByRun": spec.define_by_run,
        "enqueuedPlanned": planned_enqueued(spec),
        "constraints": spec.constraints,
        "feasibleShare": feasible_share(spec) if spec.constraints else 1.0,
        "warmStart": "; ".join(warm_start),
        "suggestions": [{"number": row.number, "parameters": dict(row.parameters)} for row in suggestions],
    }


def preview_view(
    name: str, spec: StudySpec, suggestions: Sequence[TrialRow], size: int | None, warm_start: Sequence[str], width: int
) -> RenderableType:
    """Return the preview for people."""
    title = Text.assemble((name, "bold"), (f"  {', '.join(map(aim_of, spec.objectives))}", FAINT))
    facts = pairs_table(_facts(spec, size, warm_start))
    parts: list[RenderableType] = [Text(), title, Text(), facts]
    if spec.parameters:
        parts += [Text(), _space(spec.parameters)]
    if spec.define_by_run:
        parts += [Text(), Text("the trials' code names its parameters while it runs", style=FAINT)]
    if suggestions and spec.parameters:
        parts += [Text(), _suggestions(spec, suggestions, width)]
    return Group(*parts)


def _bounds(constraints: Sequence[MetricConstraint]) -> dict[str, str]:
    bounds = [f"{each.metric} at most {each.max:g}" for each in constraints if each.max is not None]
    bounds += [f"{each.metric} at least {each.min:g}" for each in constraints if each.min is not None]
    return {"bounds": ", ".join(bounds)} if bounds else {}


def _facts(spec: StudySpec, size: int | None, warm_start: Sequence[str]) -> dict[str, str | Text]:
    gpus = gpus_requested(spec.trial.template)
    trainings = f"{_trainings(spec, size)}, {spec.parallelism * spec.trial.runs_at_once} at a time"
    search = spec.search
    return {
        "trainings": trainings + (f", {plural(gpus, 'GPU')} each" if gpus else ""),
        **_bounds(spec.metric_constraints),
        "sampler": _sampler(spec),
        **({} if size is None else {"points": f"{size:,}, each at most once"}),
        "pruner": _method(search.pruner.name.value, search.pruner.parsed_options()),
        **schedule_facts(spec),
        **_brackets(search.pruner.parsed_options()),
        **_constraints(spec),
        "seed": "none: each study differs" if search.seed is None else str(search.seed),
        "enqueued": _enqueued(spec),
        **({"warm start": "\n".join(warm_start)} if warm_start else {}),
    }


def _sampler(spec: StudySpec) -> Text:
    sampler = spec.search.sampler
    method = _method(sampler.name.value, sampler.parsed_options())
    return Text("\n").join([method, *map(Text, warnings_of_first_generation(spec))])


def _enqueued(spec: StudySpec) -> str:
    count = len(spec.search.enqueue)
    return "\n".join([plural(count, "trial"), *warnings_of_enqueued(spec)]) if count else "none"


def _trainings(spec: StudySpec, size: int | None) -> str:
    """Return how many trainings are planned, and what they are made of where a trial is more than one."""
    if spec.trial.runs == 1:
        return str(planned_trainings(spec, size))
    parts = [(planned_trials(spec, size), "trial"), (spec.trial.repeats, "repeat"), (spec.trial.folds, "fold")]
    return f"{planned_trainings(spec, size)} ({' x '.join(plural(count, noun) for count, noun in parts if count > 1)})"


def _brackets(options: ResourceModel) -> dict[str, str]:
    """Return after which steps a halving pruner compares its trials, and Hyperband's each bracket."""
    if isinstance(options, PatientOptions) and options.wrapped_pruner is not None:
        return _brackets(options.wrapped_pruner.parsed_options())
    if isinstance(options, SuccessiveHalvingOptions):
        return {"rungs": f"compare after {' '.join(map(str, first_rungs(options, _RUNGS)))} …"}
    if not isinstance(options, HyperbandOptions):
        return {}
    brackets = [" ".join(map(str, steps)) or "never" for steps in rung_steps(options)]
    return {"brackets": f"compare after {'  |  '.join(brackets)}"}


def _constraints(spec: StudySpec) -> dict[str, str]:
    """Return the constraints, and how much of the space they leave."""
    if not spec.constraints:
        return {}
    share = feasible_share(spec)
    return {
        "constraints": "\n".join(" ".join(each.split()) for each in spec.constraints),
        "feasible": f"{share:.2%} of random points" if share else f"none of {SAMPLE:,} random points",
    }


def _method(name: str, options: ResourceModel) -> Text:
    text = Text(name)
    for option, value in options.to_document().items():
        text.append(f"  {option} ", style=FAINT)
        if isinstance(value, dict):
            wrapped = Pruner.model_validate(value)
            text.append_text(Text.assemble("(", _method(wrapped.name.value, wrapped.parsed_options()), ")"))
        else:
            text.append(parameter_text(value))
    return text


def _method_documents(search: Search) -> dict[str, Any]:
    sampler, pruner = search.sampler, search.pruner
    return {
        "sampler": {"name": sampler.name.value, "options": sampler.parsed_options().to_document()},
        "pruner": {"name": pruner.name.value, "options": pruner.parsed_options().to_document()},
        "seed": search.seed,
        "enqueue": [dict(trial) for trial in search.enqueue],
    }


def _space(parameters: Sequence[Parameter]) -> Table:
    table = _table()
    table.add_column("parameter", no_wrap=True)
    table.add_column("type", style="cyan", no_wrap=True)
    table.add_column("values", overflow="fold")
    table.add_column("scale", style=FAINT, no_wrap=True)
    if any(parameter.when is not None for parameter in parameters):
        table.add_column("only when", overflow="fold")
    for parameter in parameters:
        table.add_row(*_row(parameter))
    return table


def _row(parameter: Parameter) -> list[str]:
    scale = _SCALES[parameter.scale or Scale.LINEAR] if parameter.low is not None else ""
    row = [parameter.name, parameter.type.value, _values(parameter), scale]
    return row if parameter.when is None else [*row, _condition(parameter, parameter.when)]


def _condition(parameter: Parameter, when: When) -> str:
    values = ", ".join(parameter_text(value) for value in when.in_)
    otherwise = "" if parameter.otherwise is None else f"; else {parameter_text(parameter.otherwise)}"
    return f"{when.parameter} is {values}{otherwise}"


def _values(parameter: Parameter) -> str:
    if parameter.type is ParameterType.CATEGORICAL:
        return ", ".join(parameter_text(choice) for choice in parameter.choices or ())
    if parameter.type is ParameterType.FIXED:
        return parameter_text(parameter.value if parameter.value is not None else "")
    step = "" if parameter.step is None else f", step {parameter.step:g}"
    return f"{parameter.low:g} … {parameter.high:g}{step}"


def _suggestions(spec: StudySpec, rows: Sequence[TrialRow], width: int) -> RenderableType:
    names = [parameter.name for parameter in spec.parameters if parameter.type is not ParameterType.FIXED]
    columns = parameter_columns(rows, names, width - 3 - GAP)
    table = _table()
    table.add_column("#", justify="right", no_wrap=True)
    for column in columns:
        table.add_column(
            column.heading, justify="right" if column.right else "left", no_wrap=True, min_width=column.width
        )
    for row in rows:
        table.add_row(str(row.number), *(cell(row, column.name) for column in columns))
    fixed = spec.search.seed is not None
    title = f"first {plural(len(rows), 'suggestion')}" + ("" if fixed else ", others each time without a seed")
    return Group(Text(title, style=FAINT), Text(), table)


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0), header_style=FAINT)
