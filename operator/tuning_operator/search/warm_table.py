"""Reads a table of trials: what Optuna's `trials_dataframe().to_csv()` writes, or people and their tools."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuning_contract.environment import ParameterValue
from tuning_operator.api.parameters import Parameter, ParameterType
from tuning_operator.search.attributes import METRICS
from tuning_operator.search.warm_sources import Result, Source

_PARAMETER, _USER_ATTR, _CONSTRAINTS = "params_", "user_attrs_", "system_attrs_constraints"
"""How Optuna begins the names of columns."""
_OPTUNAS_OWN = {"", "number", "datetime_start", "datetime_complete", "duration"}
"""Columns that say nothing here; the one without a name is the index of a data frame."""
_STATE = "state"
_NO_NUMBER = {"", "-", "nan", "none", "null", "na", "n/a", "<na>"}
"""What tools write for a number that is not there, in small letters."""
_SHOWN = 64


def read_table(
    text: str, parameters: Sequence[Parameter], objectives: Sequence[str], bounded: Collection[str] = ()
) -> Source:
    """Read a table for a study with these parameters, objectives and metrics with bounds.

    Raises `ValueError` with the rest of a sentence.
    """
    lines = _lines(text)
    number, names = next(lines, (1, [""]))
    columns = _Names(names, number).columns(parameters, objectives, bounded)
    trials = []
    for number, cells in lines:
        if len(cells) != len(names):
            raise ValueError(f"has {len(cells)} cells in line {number} and {len(names)} names of columns")
        line = _Line(number, names, cells)
        if columns.state is None or _is_complete(cells[columns.state]):
            trials.append(columns.result(line, {parameter.name: parameter for parameter in parameters}))
    return Source(objectives, [], trials)


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Return the lines that are not empty, with their numbers from 1; a cell in quotes may have several."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), skipinitialspace=True)
    number = 1
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                yield number, stripped
            number = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"can't be read in line {number}: {error}") from None


def _is_complete(state: str) -> bool:
    return state.lower().removeprefix("trialstate.") in ("", "complete")


@dataclass(frozen=True)
class _Line:
    """A line of the table."""

    number: int
    names: Sequence[str]
    cells: Sequence[str]

    def has(self, place: int) -> bool:
        """Whether there is a number in a cell, or something that should be one."""
        return self.cells[place].lower() not in _NO_NUMBER

    def number_in(self, place: int, what: str) -> float:
        """Return a cell's number; raises `ValueError` with the rest of a sentence."""
        try:
            return _number(self.cells[place])
        except ValueError:
            raise ValueError(
                f"has no number as {what} in line {self.number}, column `{self.names[place][:_SHOWN]}`, "
                f"but `{self.cells[place][:_SHOWN]}`"
            ) from None


@dataclass(frozen=True)
class _Columns:
    """Which column is what, by its place."""

    state: int | None
    values: Sequence[int]
    """Of the objectives."""
    metrics: Mapping[str, int]
    """With bounds, by name."""
    measured: int | None
    """What a TuningStudy keeps of metrics with bounds."""
    excesses: Mapping[str, int]
    """Constraints of the table's study that have names."""
    numbered: int | None
    """Those that have none."""
    parameters: Mapping[str, int]
    """All that may be parameters, by name."""

    def result(self, line: _Line, parameters: Mapping[str, Parameter]) -> Result:
        """Return a line's trial; raises `ValueError` with the rest of a sentence."""
        values = [line.number_in(place, "the objective") for place in self.values]
        given = {
            name: value
            for name, place in self.parameters.items()
            if (value := _value(line, place, parameters.get(name))) is not None
        }
        metrics = {
            name: line.number_in(place, "a metric with bounds")
            for name, place in self.metrics.items()
            if line.has(place)
        }
        excesses = {
            name: line.number_in(place, "a constraint") for name, place in self.excesses.items() if line.has(place)
        }
        if self.measured is not None:
            metrics = {**metrics, **_measured(line.cells[self.measured])}
        if self.numbered is not None:
            excesses = {**excesses, **_numbered(line.cells[self.numbered])}
        return Result(given, values, metrics=metrics, excesses=excesses)


class _Names:
    """The names of columns that have no meaning yet."""

    def __init__(self, names: Sequence[str], line: int) -> None:
        self._line = line
        self._places: dict[str, int] = {}
        for place, name in enumerate(names):
            if name and name in self._places:
                raise ValueError(f"names the column `{name[:_SHOWN]}` twice in line {line}; rename or remove one")
            self._places[name] = place

    def columns(self, parameters: Sequence[Parameter], objectives: Sequence[str], bounded: Collection[str]) -> _Columns:
        """Return what they mean; raises `ValueError` with the rest of a sentence."""
        values = self._objectives(objectives, {parameter.name for parameter in parameters})
        own = [self._of_parameter(parameter.name) for parameter in parameters]
        state = self._only([name for name in self._places if name.lower() == _STATE])
        metrics = {}
        for metric in bounded:
            constraint, attribute = f"{_CONSTRAINTS}:{metric}", f"{_USER_ATTR}{metric}"
            place = self._first([*_spellings(metric), constraint, attribute])
            if place is not None:
                metrics[metric] = place
        measured, numbered = self._first([f"{_USER_ATTR}{METRICS}"]), self._first([_CONSTRAINTS])
        constraints = [name for name in self._places if name.startswith(f"{_CONSTRAINTS}:")]
        excesses = {name.removeprefix(f"{_CONSTRAINTS}:"): self._places[name] for name in constraints}
        known = {parameter.name: place for parameter, place in zip(parameters, own, strict=True) if place is not None}
        unknown = {name.removeprefix(_PARAMETER): place for name, place in self._places.items() if not _is_own(name)}
        return _Columns(state, values, metrics, measured, excesses, numbered, {**unknown, **known})

    def _objectives(self, objectives: Sequence[str], parameters: Collection[str]) -> list[int]:
        named = [self._only([name for name in _spellings(each) if name in self._places]) for each in objectives]
        numbered = [f"values_{index}" for index in range(len(objectives))]
        if len(objectives) == 1 and "value" in self._places:
            if named == [None]:
                numbered = ["value"]
            elif "value" not in parameters:
                raise ValueError(
                    f"has a column `value` beside that of `{objectives[0]}` in line {self._line}, and both may be the "
                    "objective; remove one"
                )
        if not any(place is not None for place in named) and f"values_{len(objectives)}" not in self._places:
            named = [self._first([name]) for name in numbered]
        places = [place for place in named if place is not None]
        if len(places) < len(objectives):
            missing = objectives[named.index(None)]
            raise ValueError(f"has no column `{missing}`, which is the objective; line {self._line} names the columns")
        return places

    def _of_parameter(self, name: str) -> int | None:
        spellings = [each for each in (f"{_PARAMETER}{name}", name) if each in self._places]
        if len(spellings) > 1 and name.lower() in {*_OPTUNAS_OWN, _STATE, "value"}:
            return self._first(spellings)
        return self._only(spellings)

    def _only(self, names: Sequence[str]) -> int | None:
        """Take the column of one of these names, of which there may be one at most."""
        if len(names) > 1:
            raise ValueError(
                f"has the columns `{names[0]}` and `{names[1]}` in line {self._line}, which mean the same; remove one"
            )
        return self._first(names)

    def _first(self, names: Sequence[str]) -> int | None:
        """Take the column of the first of these names that is there."""
        return next((self._places.pop(name) for name in names if name in self._places), None)


def _spellings(metric: str) -> list[str]:
    return [metric, f"value_{metric}", f"values_{metric}"]


def _is_own(name: str) -> bool:
    return name in _OPTUNAS_OWN or name.startswith((_USER_ATTR, "system_attrs_"))


def _value(line: _Line, place: int, parameter: Parameter | None) -> Any:
    """Return a cell as its parameter has it, and the text itself where it is none; None: there is nothing."""
    cell = line.cells[place]
    if parameter is None:
        return cell or None
    if parameter.type in (ParameterType.CATEGORICAL, ParameterType.FIXED):
        return _choice(cell, [parameter.value] if parameter.value is not None else parameter.choices or [])
    if not line.has(place):
        return None
    number = line.number_in(place, f"`{parameter.name}`")
    return int(number) if parameter.type is ParameterType.INT and number.is_integer() else number


def _choice(cell: str, choices: Sequence[ParameterValue]) -> ParameterValue | None:
    """Return the choice that a cell means: by its text, as JSON, in whatever letters True and False, or as a number."""
    if cell in choices:
        return cell
    for choice in choices:
        is_written_so = cell == json.dumps(choice) or (isinstance(choice, bool) and cell.lower() == str(choice).lower())
        if is_written_so:
            return choice
    try:
        number = _number(cell)
    except ValueError:
        return cell or None
    return next((choice for choice in choices if type(choice) in (int, float) and choice == number), cell)


def _number(cell: str) -> float:
    """Return the number in a cell; raises `ValueError`."""
    if "_" in cell:
        raise ValueError("Python's own way of grouping digits, which is a text elsewhere")
    return float(cell)


def _measured(cell: str) -> dict[str, float]:
    """Return the metrics of a data frame's cell that has all of them, as Python shows them."""
    try:
        found = json.loads(cell.replace("'", '"') or "{}")
        known = found.items() if isinstance(found, dict) else ()
        return {name: float(value) for name, value in known if type(value) in (int, float)}
    except (ValueError, OverflowError, RecursionError):
        return {}


def _numbered(cell: str) -> dict[str, float]:
    """Return the constraints of a data frame's cell that has all of them, numbered as Optuna does."""
    parts = cell.strip("[]() ").split(",")
    try:
        return {str(place): float(part) for place, part in enumerate(filter(str.strip, parts))}
    except ValueError:
        return {}
