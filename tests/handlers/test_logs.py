"""Log lines for people and for collectors."""

from __future__ import annotations

import ast
import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest

import tuning_operator
from tuning_operator.handlers.logs import JsonFormatter, TextFormatter


def record(message: str, **extra: Any) -> logging.LogRecord:
    """Return what a log call makes."""
    found = logging.LogRecord("tuning_operator.engine", logging.WARNING, "engine.py", 1, message, None, None)
    found.created = 1_800_000_000.125
    found.__dict__.update(extra)
    return found


def test_a_line_says_when_and_what_it_is_about() -> None:
    line = TextFormatter().format(record("it ended", namespace="team", study="digits", trial=3))
    assert line == "2027-01-15T08:00:00.125Z WARNING team/digits trial 3: it ended"


def test_a_line_about_nothing_has_no_prefix() -> None:
    assert TextFormatter().format(record("it ended")) == "2027-01-15T08:00:00.125Z WARNING it ended"


def test_a_users_line_break_makes_no_line() -> None:
    line = TextFormatter().format(record("bad name\n2027-01-15T08:00:00.125Z INFO    all is well"))
    assert "\n" not in line


def test_json_has_the_same_as_fields() -> None:
    entry = json.loads(JsonFormatter().format(record("it\nended", namespace="team", study="digits", trial=3)))
    assert entry == {
        "time": "2027-01-15T08:00:00.125Z",
        "level": "warning",
        "logger": "tuning_operator.engine",
        "message": "it\nended",
        "namespace": "team",
        "study": "digits",
        "trial": 3,
    }


def test_both_show_where_an_error_came_from() -> None:
    try:
        raise ValueError("no")
    except ValueError:
        failed = record("a defect", exc_info=sys.exc_info())
    assert "ValueError: no" in TextFormatter().format(failed)
    assert "ValueError: no" in json.loads(JsonFormatter().format(failed))["exception"]


ROOMS_OF_STUDIES = ("engine.py", "study_task*.py", "job_creations.py", "cluster/failure_causes.py", "trial_logs/*.py")
"""Whatever is logged there is about a study or one of its trials."""


@pytest.mark.parametrize("room", ROOMS_OF_STUDIES)
def test_each_line_about_a_study_says_which_one(room: str) -> None:
    files = list(Path(tuning_operator.__file__).parent.glob(room))
    assert files
    calls = [node for file in files for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
    logs = [call for call in calls if ast.unparse(call.func).startswith(("log.", "_log."))]
    assert [ast.unparse(call) for call in logs if "extra" not in [keyword.arg for keyword in call.keywords]] == []
