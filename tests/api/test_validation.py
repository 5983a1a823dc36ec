"""`parse_study` raises InvalidStudy or nothing, whatever it is given."""

from __future__ import annotations

import copy
import datetime
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.api.golden_files import GOLDEN
from tests.api.studies import study, study_with
from tuning_operator.api.constraints import Constraint
from tuning_operator.api.names import API_VERSION, KIND
from tuning_operator.api.sentences import MAX_SENTENCES
from tuning_operator.api.validation import MAX_DEPTH, parse_study
from tuning_operator.api.yaml_files import load_study
from tuning_operator.errors import InvalidStudy

_EVERY_FIELD = load_study(GOLDEN / "valid" / "every-field.yaml")

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(
        ["Float", "Log", "Grid", "x" * 10_000, "\ud800", "\0", "$(PARAM_x)", "9" * 5000, 10**400, -(2**63)]
    )
)
_JSON = st.recursive(
    _SCALARS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
    max_leaves=8,
)


def _sentences(document: Any) -> tuple[str, ...]:
    with pytest.raises(InvalidStudy) as refusal:
        parse_study(document)
    problems = refusal.value.problems
    assert problems
    for problem in problems:
        assert "\n" not in problem
        assert "Traceback" not in problem
        assert len(problem) < 1000
        assert problem.isprintable(), problem
    return problems


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [path, *(place for key in keys for place in _places(value[key], (*path, key)))]


@settings(max_examples=400, deadline=None, derandomize=True)
@given(place=st.sampled_from(_places(_EVERY_FIELD)[1:]), value=_JSON)
def test_a_study_with_anything_anywhere_is_valid_or_refused_with_sentences(place: tuple[Any, ...], value: Any) -> None:
    document = copy.deepcopy(_EVERY_FIELD)
    parent: Any = document
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = value
    try:
        study = parse_study(document)
    except InvalidStudy:
        _sentences(document)
    else:
        study.spec.to_document()


@settings(max_examples=100, deadline=None, derandomize=True)
@given(document=_JSON)
def test_anything_else_is_refused_with_sentences(document: Any) -> None:
    _sentences(document)
    _sentences({"apiVersion": API_VERSION, "kind": KIND, "metadata": document, "spec": document})


def _nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


def _cyclic() -> dict[str, Any]:
    document = study()
    document["spec"]["trial"]["template"]["itself"] = document
    return document


def _bomb() -> dict[str, Any]:
    value: list[Any] = []
    for _ in range(40):
        value = [value] * 10
    return study(search={"enqueue": value})


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (study(parameters=_nested(100_000)), f"deeper than {MAX_DEPTH} levels"),
        (_cyclic(), "deeper than"),
        (_bomb(), "more than 500,000 values"),
        (study(search={"enqueue": [datetime.date(2024, 1, 31)]}), "which JSON has not"),
        (study(search={"enqueue": [{"x": {1, 2}}]}), "which JSON has not"),
        (study(search={"enqueue": [{1: 2}]}), "the key 1 must be a string"),
        ([], "must be a TuningStudy object, not a list"),
        ({}, "write `apiVersion: tuning-operator.io/v1alpha1` and `kind: TuningStudy`"),
        (study_with({"name": "x", "type": "Float", "low": -math.inf, "high": 1}), "must be a finite number"),
        (study_with({"name": "x", "type": "Fixed", "value": math.nan}), "must be a finite number"),
        (study_with({"name": "x", "type": "Float", "low": 0, "high": 10**400}), "must be a finite number"),
        (study(max_trials=10), "spec.max_trials: unknown field"),
        (study(maxTrials=10**5000), "a whole number of more than 64 bits"),
        (study_with({"name": "x", "type": "Categorical", "choices": ["a\0"]}), "must not contain NUL"),
    ],
)
def test_hostile_documents_are_refused(document: Any, sentence: str) -> None:
    assert sentence in " ".join(_sentences(document))


def test_all_problems_are_named_at_once_but_not_thousands() -> None:
    problems = _sentences(study(search={"enqueue": [{"not a name": 1}] * 1000, "seed": -1}))
    assert len(problems) == MAX_SENTENCES + 1
    assert problems[-1].startswith("and ")


def test_constraints_of_many_enqueued_trials_are_evaluated_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator reads a study's document between two reports."""
    evaluated: list[str] = []
    monkeypatch.setattr(Constraint, "why_violated", lambda self, _: evaluated.append(self.expression) or "")
    enqueue = [{"x": 0.5, "n": 1}] * 1000
    constraints = [f"x * double(n) < {index + 9}.0" for index in range(50)]
    parameters = [
        {"name": "x", "type": "Float", "low": 0, "high": 1},
        {"name": "n", "type": "Int", "low": 1, "high": 9},
    ]
    parse_study(study(parameters=parameters, constraints=constraints, search={"enqueue": enqueue}))
    assert 0 < len(evaluated) <= 1000


def test_a_boolean_is_neither_the_number_one_nor_a_choice_of_it() -> None:
    parameter = {"name": "flag", "type": "Categorical", "choices": [1, "1"]}
    enqueued = {"flag": True}
    problems = _sentences(study(parameters=[parameter], search={"enqueue": [enqueued]}))
    assert "`search.enqueue[0].flag` is true" in problems[0]


def test_bounds_of_an_int_are_ints() -> None:
    spec = parse_study(study_with({"name": "n", "type": "Int", "low": 1.0, "high": 4.0, "step": 1.0})).spec
    parameter = spec.parameters[0]
    assert [type(number) for number in (parameter.low, parameter.high, parameter.step)] == [int, int, int]


def test_metadata_that_this_project_does_not_read_is_passed_over() -> None:
    document = study()
    document["metadata"] |= {"managedFields": [{}], "labels": {"a": "b"}, "resourceVersion": "1"}
    document["status"] = {"anything": 1}
    assert parse_study(document).metadata.name == "study"
