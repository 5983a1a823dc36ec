"""Tables of trials, as Optuna exports them and as people write them."""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.study._dataframe import _create_records_and_aggregate_column, _flatten_columns
from optuna.trial import FrozenTrial, TrialState, create_trial

from tests.search.studies import METRIC, study_spec
from tests.search.worlds import DatabaseWorld
from tuning_operator.api.parameters import Parameter
from tuning_operator.api.study import StudySpec
from tuning_operator.errors import InvalidStudy
from tuning_operator.search.warm_sources import Result
from tuning_operator.search.warm_table import read_table

SPACE: tuple[Mapping[str, Any], ...] = (
    {"name": "rate", "type": "Float", "low": 1e-6, "high": 1, "scale": "Log"},
    {"name": "units", "type": "Int", "low": 1, "high": 128},
    {"name": "flag", "type": "Categorical", "choices": [True, False]},
    {"name": "batch", "type": "Categorical", "choices": [16, 32, 0.5]},
    {"name": "mixed", "type": "Categorical", "choices": ["a", "1", True, 1]},
    {"name": "epochs", "type": "Fixed", "value": 5},
)
PARAMETERS = [Parameter.model_validate(parameter) for parameter in SPACE]
DISTRIBUTIONS = {
    "rate": FloatDistribution(1e-6, 1, log=True),
    "units": IntDistribution(1, 128),
    "flag": CategoricalDistribution([True, False]),
}
OPTUNAS = ("number", "value", "datetime_start", "datetime_complete", "duration", "params", "user_attrs", "system_attrs")
"""Attributes that `trials_dataframe` has by default, with `state`."""


def _results(table: str, *objectives: str, bounded: Sequence[str] = ()) -> Sequence[Result]:
    return read_table(table, PARAMETERS, objectives or (METRIC,), bounded).trials


def _value(parameter: str, cell: str) -> Any:
    """Return what a cell of a parameter's column means."""
    (result,) = _results(f"{parameter},{METRIC}\n{cell},0.5\n")
    return result.parameters.get(parameter)


def _exported(trials: Sequence[FrozenTrial], metrics: Sequence[str] | None = None) -> str:
    """Return a study of these trials as `trials_dataframe().to_csv()` writes it; pandas is not installed."""
    with warnings.catch_warnings(action="ignore"):  # experimental
        study = optuna.create_study(directions=["maximize"] * len(next(t.values for t in trials if t.values)))
        if metrics:
            study.set_metric_names(list(metrics))
    study.add_trials(trials)
    value = "values" if len(study.directions) > 1 else "value"
    attrs = tuple(value if name == "value" else name for name in (*OPTUNAS, "state"))
    records, columns = _create_records_and_aggregate_column(study, attrs)
    rows = [["" if (cell := record.get(column)) is None else cell for column in columns] for record in records]
    text = io.StringIO()
    csv.writer(text).writerows([["", *_flatten_columns(columns)], *([index, *row] for index, row in enumerate(rows))])
    return text.getvalue()


def _trial(*values: float, **fields: Any) -> FrozenTrial:
    params = {"rate": 1e-5, "units": 64, "flag": False}
    return create_trial(params=params, distributions=DISTRIBUTIONS, values=list(values), **fields)


@pytest.mark.parametrize(("metrics", "column"), [(None, "value"), ([METRIC], f"value_{METRIC}")])
def test_what_optuna_exports_is_read(metrics: Sequence[str] | None, column: str) -> None:
    failed = create_trial(state=TrialState.FAIL)
    table = _exported([failed, _trial(0.5), _trial(0.75)], metrics)
    assert table.startswith(f",number,{column},datetime_start,")
    assert [result.values for result in _results(table)] == [[0.5], [0.75]]
    assert dict(_results(table)[0].parameters) == {"rate": 1e-5, "units": 64, "flag": False}


@pytest.mark.parametrize("metrics", [None, ["latency", METRIC]])
def test_several_objectives_are_found_by_their_names_or_else_by_their_order(metrics: Sequence[str] | None) -> None:
    table = _exported([_trial(0.5, 7.0)], metrics)
    (result,) = _results(table, METRIC, "latency")
    assert result.values == ([0.5, 7.0] if metrics is None else [7.0, 0.5])


def test_what_optuna_exports_of_metrics_with_bounds_is_read() -> None:
    kept = {"user_attrs": {"tuning:metrics": {"latency": 7.5}, "size": 3}, "system_attrs": {"constraints:memory": 2.0}}
    (result,) = _results(_exported([_trial(0.5, **kept)]), bounded=["latency", "size", "memory", "else"])
    assert dict(result.metrics) == {"latency": 7.5, "size": 3, "memory": 2}
    unnamed = {"system_attrs": {"constraints": [1.5, -2.0], "constraints:size max": 4.0}}
    (result,) = _results(_exported([_trial(0.5, **unnamed)]), bounded=["size"])
    assert (dict(result.metrics), dict(result.excesses)) == ({}, {"0": 1.5, "1": -2.0, "size max": 4.0})


@pytest.mark.parametrize(
    "header", [f"rate,units,{METRIC}", f"params_rate,params_units,value_{METRIC}", "params_rate , units, values_0"]
)
def test_columns_are_named_as_optuna_does_or_plainly(header: str) -> None:
    (result,) = _results(f"\ufeff\n{header}\n\n1e-5,64.0,0.5\n,,\n")
    assert (dict(result.parameters), result.values) == ({"rate": 1e-5, "units": 64}, [0.5])
    assert type(result.parameters["units"]) is int


@pytest.mark.parametrize(
    ("state", "count"),
    [("Complete", 1), ("COMPLETE", 1), ("TrialState.COMPLETE", 1), ("", 1), ("Pruned", 0), ("FAIL", 0)],
)
@pytest.mark.parametrize("name", ["state", "State"])
def test_only_complete_trials_are_read(name: str, state: str, count: int) -> None:
    results = _results(f"rate,{METRIC},{name}\n0.1,{0.5 if count else ''},{state}\n")
    assert len(results) == count


@pytest.mark.parametrize(
    ("parameter", "cell", "value"),
    [
        *((("flag", cell, True)) for cell in ("True", "true", "TRUE")),
        *((("flag", cell, False)) for cell in ("False", "false")),
        ("flag", "yes", "yes"),
        ("units", "64.0", 64),
        ("units", "6.4e1", 64),
        ("units", "64.5", 64.5),
        ("rate", "1e-5", 1e-5),
        ("rate", "1E-05", 1e-5),
        *((("rate", cell, None)) for cell in ("", "NaN", "None", "-")),
        ("batch", "32.0", 32),
        ("batch", "5e-1", 0.5),
        ("mixed", "a", "a"),
        ("mixed", '"""a"""', "a"),
        ("mixed", "1", "1"),
        ("mixed", "1.0", 1),
        ("mixed", "True", True),
        ("mixed", "other", "other"),
        ("epochs", "5.0", 5),
    ],
)
def test_a_cell_is_what_its_parameter_has(parameter: str, cell: str, value: Any) -> None:
    found = _value(parameter, cell)
    assert (type(found), found) == (type(value), value)


def test_a_parameter_may_have_the_name_of_one_of_optunas_columns() -> None:
    named = [
        Parameter.model_validate({"name": name, "type": "Int", "low": 0, "high": 9}) for name in ("number", "state")
    ]
    exported = "number,value,params_number,params_state,state\n0,0.5,7,8,COMPLETE\n"
    by_hand = f"number,state,{METRIC}\n7,8,0.5\n"
    for table in (exported, by_hand):
        (result,) = read_table(table, named, [METRIC]).trials
        assert (dict(result.parameters), result.values) == ({"number": 7, "state": 8}, [0.5])


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("rate,units\n1,2\n", "has no column `accuracy`, which is the objective; line 1 names the columns"),
        (" ", "has no column `accuracy`"),
        ("\n\nrate,values_0,values_1\n1,2,3\n", "has no column `accuracy`, which is the objective; line 3 names"),
        ("rate,accuracy\n1,2,3\n", "has 3 cells in line 2 and 2 names of columns"),
        ('rate,accuracy\n"1,2\n', "has 1 cells in line 2 and 2 names of columns"),
        ("rate,accuracy\n1,good\n", "has no number as the objective in line 2, column `accuracy`, but `good`"),
        ("rate,accuracy\n1,1_6\n", "has no number as the objective in line 2, column `accuracy`, but `1_6`"),
        ("rate,value\n\n1,\n", "has no number as the objective in line 3, column `value`, but ``"),
        (
            'note,params_rate,value\n"a\nb",0.1,1\n,0.O1,2\n',
            "has no number as `rate` in line 4, column `params_rate`, but `0.O1`",
        ),
        (
            "rate,latency,accuracy\n1,fast,1\n",
            "has no number as a metric with bounds in line 2, column `latency`, but `fast`",
        ),
        ("rate,units,rate,accuracy\n1,2,3,4\n", "names the column `rate` twice in line 1; rename or remove one"),
        ("other,other,accuracy\n1,2,3\n", "names the column `other` twice in line 1; rename or remove one"),
        (
            "rate,params_rate,accuracy\n1,2,3\n",
            "has the columns `params_rate` and `rate` in line 1, which mean the same",
        ),
        ("value_accuracy,accuracy\n1,2\n", "has the columns `accuracy` and `value_accuracy` in line 1, which mean the"),
        (
            "rate,value,accuracy\n1,2,3\n",
            "has a column `value` beside that of `accuracy` in line 1, and both may be the objective",
        ),
        ("accuracy,state,State\n1,2,3\n", "has the columns `state` and `State` in line 1, which mean the same"),
    ],
)
def test_a_table_that_is_none_is_refused_with_the_place(table: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        _results(table, bounded=["latency"])


def test_what_the_csv_module_does_not_read_is_refused_with_its_line() -> None:
    with pytest.raises(ValueError, match="can't be read in line 2: field larger than field limit"):
        _results(f"rate,accuracy\n{'9' * 200_000},1\n")


def _spec(*tables: str) -> StudySpec:
    warm_start = [{"csv": table} for table in tables]
    return study_spec(SPACE, {"sampler": {"name": "TPE"}, "warmStart": warm_start})


async def test_a_refusal_says_which_source_it_is(sqlite_world: DatabaseWorld) -> None:
    sqlite_world.spec = _spec(f"{METRIC}\n0.5\n", f"rate,{METRIC}\n1,2,3\n")
    with pytest.raises(InvalidStudy) as refused:
        await sqlite_world.open()
    assert refused.value.problems == ("`search.warmStart[1]`: the CSV has 3 cells in line 2 and 2 names of columns",)


async def test_columns_that_mean_nothing_are_named_but_for_optunas_own(sqlite_world: DatabaseWorld) -> None:
    exported = _exported([_trial(0.5, user_attrs={"note": "x"})]).replace("params_flag", "params_flags")
    sqlite_world.spec = _spec(exported, f"rate,units,flag,batch,mixed,{METRIC},host\n0.1,64.0,True,32.0,a,0.5,n1\n")
    assert (await sqlite_world.open()).history().warm_start == (
        "0 of 1 complete trials of the CSV are used (left out: `flag` is missing in 1) (not a parameter here: "
        "`flags`); 1 of 1 complete trials of the CSV are used (not a parameter here: `host`)"
    )
