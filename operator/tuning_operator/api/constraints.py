"""Which points of the space may be tried: CEL expressions over the parameters.

An expression's time grows with its length alone, whatever it says: macros, which are loops, and `matches`, which
compiles a pattern, are refused, and the library limits how deep an expression may nest. It takes microseconds.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tuning_operator.api.parameters import Parameter, ParameterType
from tuning_operator.api.sentences import one_line, shown

if TYPE_CHECKING:
    from cel import Program

MAX_CONSTRAINTS = 50
"""Expressions of a study."""
MAX_EXPRESSION = 1024
"""Characters of an expression."""

_FUNCTIONS = frozenset({"contains", "double", "endsWith", "int", "size", "startsWith", "string"})
_BINARY = ("!=", "%", "&&", "*", "+", "-", "/", "<", "<=", "==", ">", ">=", "||")
_OPERATORS = frozenset({"!_", "-_", "@in", "_[_]", "_?_:_", *(f"_{operator}_" for operator in _BINARY)})
"""As the library names them."""
_MACRO = re.compile(r"\b(all|exists|exists_one|filter|map)\s*\(")
"""The library expands macros before it says what an expression calls. Code that only looks like one is refused too."""
_NO_CODE = re.compile(r"""//[^\n]*|[rR]("{3}|'{3}|"|').*?\1|("{3}|'{3}|"|')(?:\\.|[^\\])*?\2""", re.DOTALL)
"""A comment, a raw text, or another text, in an expression that parses; what does not parse is refused anyway."""
_SYNTAX_ERROR = re.compile(r"<input>:(\d+):(\d+): (?:Syntax error: )?(.+?)(?: expecting .*)?$", re.MULTILINE)

_TOO_DEEP = re.compile(r"Recursion limit of (\d+) exceeded")
"""In what the library prints where it gives up."""
_FIELD = re.compile(r"\b([A-Za-z_]\w*)\s*\.\s*([A-Za-z_]\w*)\b(?!\s*\()")
"""`x.y`, but not `x.contains('y')`."""

_PROBES = 16
"""Points at which an expression is tried before the study starts."""


class Constraint:
    """A condition that a point must meet."""

    def __init__(self, expression: str, parameters: Mapping[str, Parameter]) -> None:
        """Compile an expression over these parameters.

        Raises
        ------
        ValueError
            It does not parse, loops, names no parameter or something else, or is neither true nor false; the sentence
            goes on after the name of the field.
        """
        self.expression = expression
        self._program = _compiled(expression)
        self.names = tuple(self._program.variables())
        """The parameters that it is about."""
        self.deciding = frozenset(each for name in self.names if name in parameters for each in _line(name, parameters))
        """These, and those that decide whether a trial has them."""
        self._parameters = parameters
        self._require_known(self._program.functions())
        self._require_truth()

    def why_violated(self, values: Mapping[str, Any]) -> str:
        """Return why a trial with these parameters may not be run, as a short text; empty: it may.

        A parameter that the trial does not have counts as its `otherwise`; without that the condition is met. Where it
        can't be evaluated, as in a division by zero, it is not.
        """
        named = {name: self._value(name, values) for name in self.names}
        if None in named.values():
            return ""
        try:
            return "" if self._program.execute(named) is True else self.expression
        except Exception as error:  # noqa: BLE001 - the library raises what fits, and may raise more in a next version
            return f"{self.expression} ({_in_short(error)})"

    def _value(self, name: str, values: Mapping[str, Any]) -> Any:
        parameter = self._parameters[name]
        return _as_cel_has_it(parameter, values.get(name, parameter.otherwise))

    def _require_known(self, called: Collection[str]) -> None:
        for name in called:
            if name not in _FUNCTIONS and name not in _OPERATORS:
                raise ValueError(
                    f"calls `{one_line(name)}`, which constraints don't have; they have operators and "
                    f"{', '.join(sorted(_FUNCTIONS))}"
                )
        for name in self.names:
            if name not in self._parameters:
                raise ValueError(
                    f"names `{one_line(name)}`, which is not in `parameters`; add it, correct the name, or put a text "
                    "into quotes"
                )
        if not self.names:
            raise ValueError("names no parameter, so that it holds for all points or for none; remove it")

    def _require_truth(self) -> None:
        """Try it at some points inside of the space: types are found out by evaluation alone."""
        named = {name: _examples(self._parameters[name]) for name in self.names}
        problems = []
        count = min(_PROBES, max(map(len, named.values())))
        for index in range(count):
            point = {name: values[index % len(values)] for name, values in named.items()}
            try:
                result = self._program.execute(point)
            except ArithmeticError:
                continue  # it is about numbers, which other points don't have
            except Exception as error:  # noqa: BLE001 - as in `why_violated`
                problems.append(self._why_no_field() or f"can't be evaluated: {_in_short(error)}")
                continue
            if not isinstance(result, bool):
                raise ValueError(f"is {shown(result)} and not true or false; compare it with something")
        if len(problems) == count:
            raise ValueError(problems[0])

    def _why_no_field(self) -> str:
        """Return which field of a parameter it names, as none has any; empty: none."""
        for found in _FIELD.finditer(self.expression):
            if found[1] in self.names:
                return f"names `{found[0]}`, but `{found[1]}` is a single value; write the name alone"
        return ""


class Constraints:
    """All conditions of a study."""

    def __init__(self, expressions: Sequence[str], parameters: Sequence[Parameter]) -> None:
        """Compile them; raises `ValueError` with a sentence for the first that is wrong."""
        by_name = {parameter.name: parameter for parameter in parameters}
        self._parameters = parameters
        self._all: list[Constraint] = []
        for index, expression in enumerate(expressions):
            try:
                self._all.append(Constraint(expression, by_name))
            except ValueError as error:
                raise ValueError(f"`constraints[{index}]` {error}") from None

    def __bool__(self) -> bool:
        return bool(self._all)

    def why_violated(self, values: Mapping[str, Any]) -> str:
        """Return which condition a trial with these parameters does not meet; empty: it meets all."""
        return self.violation(values)[0]

    def violation(self, values: Mapping[str, Any]) -> tuple[str, Collection[str]]:
        """Return what `why_violated` does, and the parameters that decide the condition."""
        return next(((why, each.deciding) for each in self._all if (why := each.why_violated(values))), ("", ()))

    def part_violates(self, values: Mapping[str, Any]) -> bool:
        """Return whether a trial with these parameters, and others, does not meet a condition that is about these."""
        return any(each.why_violated(values) for each in self._all if values.keys() >= set(each.names))

    def why_given_violates(self, given: Mapping[str, Any]) -> str:
        """Return which condition no trial with these parameters meets, as far as they alone say it; empty: none."""
        values, sampled = _settled(given, self._parameters)
        decided = (each for each in self._all if sampled.isdisjoint(each.names))
        return next((why for each in decided if (why := each.why_violated(values))), "")


def _line(name: str, parameters: Mapping[str, Parameter]) -> Iterator[str]:
    """Return a parameter, the one that its `when` is about, the one that the `when` of that is about, and so on."""
    following: str | None = name
    while following is not None:
        yield following
        when = parameters[following].when
        following = None if when is None else when.parameter


def _settled(given: Mapping[str, Any], parameters: Sequence[Parameter]) -> tuple[dict[str, Any], set[str]]:
    """Return the values that a trial with some given ones has for certain, and the names of those that are sampled."""
    values: dict[str, Any] = {}
    sampled: set[str] = set()
    for parameter in parameters:
        name = parameter.name
        if parameter.when is not None and parameter.when.parameter in sampled:
            sampled.add(name)
        elif not parameter.is_active(values):
            continue
        elif name in given or parameter.type is ParameterType.FIXED:
            values[name] = given.get(name, parameter.value)
        else:
            sampled.add(name)
    return values, sampled


def _compiled(expression: str) -> Program:
    from cel import compile as compile_cel  # it loads a command line of its own: a tenth of a second, and 8 MB

    if (macro := _MACRO.search(_NO_CODE.sub(" ", expression))) is not None:
        raise ValueError(
            f"uses the macro `{macro[1]}`, which constraints don't have; write the cases out with && or ||"
        )
    try:
        return compile_cel(expression)
    except Exception as error:  # noqa: BLE001 - as in `why_violated`
        if (limit := _TOO_DEEP.search(str(error))) is not None:
            raise ValueError(f"nests deeper than {limit[1]} levels; write it shorter") from None
        found = _SYNTAX_ERROR.search(str(error))
        where = f"line {found[1]}, column {found[2]}: {one_line(found[3])}" if found else one_line(str(error))
        raise ValueError(f"is no CEL expression: {where}; write one like `layers * units <= 512`") from None


def _as_cel_has_it(parameter: Parameter, value: Any) -> Any:
    """Return a value with the type that all values of its parameter have: CEL does not calculate with an int and a
    double, and in JSON 1.0 is 1."""
    if value is None or isinstance(value, bool | str):
        return value
    if parameter.type is ParameterType.INT:
        return int(value)
    fractions = any(isinstance(choice, float) for choice in parameter.choices or ())
    return float(value) if fractions or parameter.type is ParameterType.FLOAT else value


def _examples(parameter: Parameter) -> Sequence[Any]:
    """Return some values, never none."""
    values: Sequence[Any]
    if parameter.choices is not None:
        values = parameter.choices[:_PROBES]
    elif parameter.low is None or parameter.high is None:
        values = [parameter.value]
    else:
        width = parameter.high - parameter.low
        values = [
            parameter.low + share * width for share in (0.618, 0.382)
        ]  # 0 / 0 is NaN, which compares with nothing
    return [_as_cel_has_it(parameter, value) for value in values]


def _in_short(error: Exception) -> str:
    if isinstance(error, ZeroDivisionError):
        return "division by zero"
    if isinstance(error, OverflowError):
        return "the numbers are too large"
    if isinstance(error, TypeError):
        return (
            "the types don't go together; CEL calculates with two whole numbers or two floats: beside a float, write "
            "double(units) for an Int, and 2.0 for 2"
        )
    return one_line(str(error).partition(". Check")[0])
