"""Tables of trials: what they show, and that they fit."""

from __future__ import annotations

import pytest
from rich.console import Console, RenderableType

from tests.cli.rows import PARAMETERS, row
from tuning_operator.cli.columns import heading, parameter_columns
from tuning_operator.cli.tables import Shown, trials_table
from tuning_operator.cli.trial_rows import COMPLETE, FAILED, PRUNED, RUNNING, TrialRow

ROWS = [row(0), row(1, PRUNED, value=0.5), row(12, FAILED, value=None, reason="NotFinite", message="`loss` is nan")]


def text_of(renderable: RenderableType, width: int) -> list[str]:
    """Return the lines that a terminal of some width shows."""
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(renderable)
    return [line.rstrip() for line in capture.get().splitlines()]


@pytest.mark.parametrize("width", [60, 80, 100, 200])
@pytest.mark.parametrize("running", [False, True])
def test_a_table_fits_into_a_line_and_cuts_nothing_off(width: int, running: bool) -> None:
    shown = Shown("val_accuracy", PARAMETERS, width, best=0, running=running)
    lines = text_of(trials_table(ROWS, shown), width)
    assert max(len(line) for line in lines) <= width
    assert len(lines) == len(ROWS) + 3, "a heading of two lines, a rule, and one line for each trial"
    assert not any("…" in line for line in lines)


def test_a_wide_table_has_all_parameters_and_a_narrow_one_the_first() -> None:
    wide = text_of(trials_table(ROWS, Shown("score", PARAMETERS, 200)), 200)
    assert "optimizer" in wide[1]
    narrow = text_of(trials_table(ROWS, Shown("score", PARAMETERS, 50)), 50)
    assert "rate" in narrow[1]
    assert "optimizer" not in narrow[1]


def test_numbers_end_below_each_other() -> None:
    lines = text_of(trials_table(ROWS, Shown("score", PARAMETERS, 100)), 100)
    assert [line[:2] for line in lines[3:]] == [" 0", " 1", "12"]
    assert lines[3].index("0.9000") == lines[4].index("0.5000")


def test_the_best_trial_is_marked() -> None:
    lines = text_of(trials_table(ROWS, Shown("score", [], 100, best=1)), 100)
    assert [("★ best" in line) for line in lines[-3:]] == [False, True, False]


def test_notes_say_why_trials_ended_where_that_is_more_than_their_state() -> None:
    lines = text_of(trials_table(ROWS, Shown("score", [], 100, notes=True)), 100)
    assert lines[-1].endswith("NotFinite: `loss` is nan")
    assert "Complete" not in "".join(lines)


def test_trials_of_a_strategy_say_where_they_come_from() -> None:
    promoted = {"parent": 0, "generation": None, "bracket": 0, "rung": 1, "budget": 9, "note": "trial 0 was promoted"}
    rows = [row(0), row(1, lineage=promoted)]
    for width in (60, 100, 200):
        lines = text_of(trials_table(rows, Shown("score", PARAMETERS, width, notes=True)), width)
        assert max(len(line) for line in lines) <= width
        assert lines[-1].split(" 12s ")[1].split()[:4] == ["b0", "r1", "0", "9"]
        assert lines[-2].split(" 12s ")[1].split()[:3] == ["–", "–", "–"]
    assert lines[-1].endswith("trial 0 was promoted")
    assert "from" not in "".join(text_of(trials_table(rows, Shown("score", [], 100)), 100))


def test_a_running_trial_shows_its_step_and_its_curve() -> None:
    (line,) = text_of(
        trials_table([row(3, RUNNING, step=7, trend=(0.0, 1.0))], Shown("score", [], 100, running=True)), 100
    )[-1:]
    assert "▶ running" in line
    assert " 7 " in line
    assert "▁█" in line


@pytest.mark.parametrize(
    ("name", "width", "lines"),
    [
        ("learning_rate", 9, ["learning_", "rate"]),
        ("learning_rate", 13, ["learning_rate"]),
        ("lr", 2, ["lr"]),
        ("optimizer", 3, ["optimizer"]),
        ("a.b/c", 2, ["a.", "b/", "c"]),
        ("__x", 2, ["__", "x"]),
    ],
)
def test_headings_break_where_names_have_joints(name: str, width: int, lines: list[str]) -> None:
    assert heading(name, width).split("\n") == lines


def test_a_long_value_is_cut_and_words_stand_left() -> None:
    (column,) = parameter_columns([row(0, parameters={"path": "x" * 50})], ["path"], 100)
    assert column.width == 18
    assert not column.right


def test_where_code_names_parameters_all_that_trials_have_are_shown_in_the_order_of_their_appearance() -> None:
    rows = [TrialRow(0, COMPLETE, {"b": 1}, value=0.5), TrialRow(1, COMPLETE, {"b": 2, "a": "x"}, value=0.25)]
    columns = parameter_columns(rows, None, 80)
    assert [column.name for column in columns] == ["b", "a"]
    assert [column.name for column in parameter_columns(rows, ["a"], 80)] == ["a"]
