"""The entry point: what it loads, and what it says of errors."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.workplace import Workplace, study_document
from tuning_operator import __version__

HEAVY = "kopf optuna kubernetes torch aiohttp sqlalchemy pydantic yaml rich sklearn"

LOADED = f"""
import sys
from tuning_operator.cli.main import main
try:
    main(["--help"])
except SystemExit as end:
    assert end.code == 0
print("loaded:", [name for name in "{HEAVY}".split() if name in sys.modules])
"""


def test_help_loads_no_heavy_library() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert "loaded: []" in done.stdout
    for command in ("run", "preview", "status", "trials", "best", "logs", "suspend", "resume", "stop", "operator"):
        assert f"\n  {command} " in done.stdout


def test_the_version_is_printed(workplace: Workplace) -> None:
    assert workplace.call("--version").out == f"tuning {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [["trian"], ["run"], ["run", "a.yaml", "--parallelism", "0"], ["trials", "a.yaml", "-o", "xml"]],
    ids=["unknown command", "missing file", "bad number", "unknown output"],
)
def test_wrong_usage_exits_with_2(workplace: Workplace, arguments: list[str]) -> None:
    called = workplace.call(*arguments)
    assert called.status == 2
    assert "Usage: " in called.err


@pytest.mark.parametrize("command", ["run", "preview", "status", "trials", "best"])
def test_a_file_that_does_not_exist_is_told_and_exits_with_2(workplace: Workplace, command: str) -> None:
    called = workplace.call(command, "nowhere.yaml")
    assert called.status == 2
    assert called.err.startswith("error: nowhere.yaml: there is no such file")
    assert called.out == ""


@pytest.mark.parametrize("command", ["run", "preview", "status", "trials", "best"])
def test_all_problems_of_a_file_are_named_a_line_each(workplace: Workplace, command: str) -> None:
    workplace.write(study_document(maxTrials=0, parallelism="two"))
    called = workplace.call(command, "study.yaml")
    assert called.status == 2
    lines = called.err.splitlines()
    assert any("spec.maxTrials" in line for line in lines)
    assert any("spec.parallelism" in line for line in lines)
    assert all(line.startswith("error: ") for line in lines)


def test_an_unexpected_error_is_a_sentence_that_asks_to_report_it(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuning_operator.api.yaml_files.load_study", _break)
    called = workplace.call("preview", "study.yaml")
    assert called.status == 1
    assert "unexpected ZeroDivisionError" in called.err
    assert "report it" in called.err
    assert "Traceback" not in called.err


def test_debug_shows_the_stack(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuning_operator.api.yaml_files.load_study", _break)
    called = workplace.call("--debug", "preview", "study.yaml")
    assert "Traceback" in called.err
    assert "_break" in called.err
    assert "Traceback" not in workplace.call("preview", "study.yaml").err


def test_a_bad_setting_of_the_operator_exits_with_2(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNING_OPERATOR_REPORT_PORT", "eighty")
    called = workplace.call("operator")
    assert called.status == 2
    assert called.err == "error: TUNING_OPERATOR_REPORT_PORT is 'eighty', which is not a number\n"


def _break(_path: object) -> None:
    raise ZeroDivisionError("seven")
