"""What a constraint may say, and of which trials it holds."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from tuning_operator.api.constraints import MAX_EXPRESSION, Constraint, Constraints
from tuning_operator.api.parameters import Parameter

PARAMETERS = [
    Parameter.model_validate(document)
    for document in (
        {"name": "layers", "type": "Int", "low": 0, "high": 4},
        {"name": "rate", "type": "Float", "low": 0, "high": 1},
        {"name": "optimizer", "type": "Categorical", "choices": ["adam", "sgd"]},
        {"name": "factor", "type": "Categorical", "choices": [0.5, 1, 2]},
        {"name": "nesterov", "type": "Categorical", "choices": [True, False]},
        {"name": "momentum", "type": "Float", "low": 0, "high": 1, "when": {"parameter": "optimizer", "in": ["sgd"]}},
        {
            "name": "warmup",
            "type": "Int",
            "low": 1,
            "high": 9,
            "when": {"parameter": "optimizer", "in": ["sgd"], "otherwise": 0},
        },
        {"name": "epochs", "type": "Fixed", "value": 5},
    )
]
POINT: dict[str, Any] = {
    "layers": 2,
    "rate": 1,
    "optimizer": "adam",
    "factor": 1,
    "nesterov": True,
    "epochs": 5,
}


def _violated(expression: str, **values: Any) -> str:
    return Constraints([expression], PARAMETERS).why_violated({**POINT, **values})


@pytest.mark.parametrize(
    "expression",
    [
        "layers * 3 <= 6",
        "layers * 3 <= 6 && rate < 1.5",
        "rate < 2 && layers < 2.5",
        "double(layers) * rate < 2.5",
        "layers % 2 == 0",
        "optimizer == 'adam' || layers > 2",
        "optimizer in ['adam', 'sgd']",
        "nesterov ? layers > 1 : layers > 3",
        "factor * 2.0 == 2.0",
        "nesterov",
        "optimizer.startsWith('a') && size(optimizer) == 4",
        "layers <= epochs",
        "layers <=\n  3  // at most three\n",
        "optimizer != 'map this'",
        "optimizer != 'filter(y)'",
        'optimizer != "it\'s map(y)"',
        "optimizer != 'it\\'s all(y)'",
        "optimizer != r'map(y)\\'",
        "optimizer != '''it's\nmap(y)'''",
        "layers < 3 // that's not map(y)\n",
    ],
)
def test_a_constraint_that_holds_violates_nothing(expression: str) -> None:
    assert _violated(expression) == ""


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("layers +", "line 1, column 9"),
        ("layers ** 2 < 3", "is no CEL expression"),
        ("layers", "is 2 and not true or false"),
        ("nesterov ? 1 : true", "is 1 and not true or false"),
        ("depth < 3", "names `depth`, which is not in `parameters`"),
        ("optimizer == adam", "names `adam`.*quotes"),
        ("1 < 2", "names no parameter"),
        ("layers * rate < 1", "double\\(units\\)"),
        ("optimizer < 3", "types don't go together"),
        ("[1, 2].all(x, x > layers)", "the macro `all`"),
        ("[1, 2].map// a comment\n (layers, layers * 2)[0] > 1", "the macro `map`"),
        ("optimizer == '//' || [1].exists(x, x > layers)", "the macro `exists`"),
        ("optimizer == r'\\' || [1].exists(x, x > layers) || optimizer == 'a'", "the macro `exists`"),
        ("optimizer == '\\'' || [1].exists(x, x > layers) || optimizer == 'a'", "the macro `exists`"),
        ("optimizer == '''''a''' || [1].exists(x, x > layers) || optimizer == 'a'", "the macro `exists`"),
        ("[1].map // that's\n (x, x) == [layers] || optimizer == 'a'", "the macro `map`"),
        ("optimizer.matches('a+')", "calls `matches`"),
        ("pow(layers, 2) > 1", "calls `pow`"),
        ("int(optimizer) == 1", "can't be evaluated"),
        ("(" * 500 + "layers" + ")" * 500, "nests deeper than 96 levels; write it shorter"),
        ("layers.size > 1", "names `layers.size`, but `layers` is a single value; write the name alone"),
    ],
)
def test_a_wrong_constraint_is_refused_with_a_sentence(expression: str, problem: str) -> None:
    with pytest.raises(ValueError, match=rf"(?s)^`constraints\[0\]` .*{problem}"):
        Constraints([expression], PARAMETERS)


def test_what_a_trial_violates_is_named() -> None:
    constraints = Constraints(["layers < 3", "rate < 0.5", "rate < 0.1"], PARAMETERS)
    assert constraints.why_violated(POINT) == "rate < 0.5"


def test_a_condition_that_cant_be_evaluated_is_not_met() -> None:
    assert _violated("10 / layers > 1") == ""
    assert _violated("10 / layers > 1", layers=0) == "10 / layers > 1 (division by zero)"


def test_a_parameter_that_a_trial_lacks_counts_as_its_otherwise_and_else_the_condition_is_met() -> None:
    assert _violated("momentum < 0.5") == ""
    assert _violated("momentum < 0.5", optimizer="sgd", momentum=0.9, warmup=1) == "momentum < 0.5"
    assert _violated("warmup > 0") == "warmup > 0"
    assert _violated("warmup > 0", optimizer="sgd", momentum=0.9, warmup=1) == ""


def test_only_what_given_parameters_decide_speaks_against_them() -> None:
    constraints = Constraints(["layers <= 2", "rate < 0.5 || layers == 0", "momentum < 0.5", "epochs > 3"], PARAMETERS)
    assert constraints.why_given_violates({"layers": 3}) == "layers <= 2"
    assert constraints.why_given_violates({"layers": 2}) == ""
    assert constraints.why_given_violates({"layers": 2, "rate": 0.9}) == "rate < 0.5 || layers == 0"
    assert constraints.why_given_violates({"optimizer": "sgd", "momentum": 0.9}) == "momentum < 0.5"
    assert constraints.why_given_violates({"optimizer": "adam"}) == ""


@pytest.mark.parametrize(
    "repeated", ["!", "- ", "layers+", "nesterov||", "nesterov?layers:", "[layers][0]+", "layers<"]
)
def test_the_longest_expressions_end_in_an_answer(repeated: str) -> None:
    """A parser that recurses without bound would end the process."""
    expression = (repeated * MAX_EXPRESSION)[: MAX_EXPRESSION - 10] + "layers"
    with suppress(ValueError):
        Constraint(expression, {parameter.name: parameter for parameter in PARAMETERS})
