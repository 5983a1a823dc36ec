"""The live picture of a run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.cli.rows import PARAMETERS, row
from tests.cli.test_tables import text_of
from tuning_operator.api.status import Phase
from tuning_operator.api.study import Direction, Objective
from tuning_operator.cli.live_view import Best, RunPicture, live_view
from tuning_operator.cli.ranking import Aims
from tuning_operator.cli.run_screen import ended_text
from tuning_operator.cli.trial_rows import RUNNING


def picture(**fields: object) -> RunPicture:
    """Return a run of which 20 of 40 trials have ended."""
    parts: dict[str, object] = {
        "study": "digits-mlp",
        "metric": "val_accuracy",
        "direction": Direction.MAXIMIZE,
        "parameters": PARAMETERS,
        "max_trials": 40,
        "phase": Phase.RUNNING,
        "complete": 10,
        "pruned": 8,
        "failed": 2,
        "running": 4,
        "seconds": 65.0,
        "best": Best(7, 0.98765, {"learning_rate": 0.01}),
        "aims": Aims([Objective(metric="val_accuracy", direction=Direction.MAXIMIZE)]),
        "trials": tuple(row(number, RUNNING, step=3) for number in range(30)),
    }
    return RunPicture(**{**parts, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (60, 12), (200, 60)])
def test_the_picture_fits_into_the_terminal(width: int, height: int) -> None:
    lines = text_of(live_view(picture(note="the database is locked " * 20), width, height), width)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width


def test_the_head_says_what_is_run_and_how_far_it_is() -> None:
    lines = text_of(live_view(picture(), 100, 30), 100)
    assert "digits-mlp  ● Running  maximize val_accuracy" in lines[1]
    assert lines[1].endswith("1m05s")
    assert lines[2] == "━" * 100
    assert "✔ 10 complete   ✂ 8 pruned   ✘ 2 failed   ▶ 4 running" in lines[3]
    assert lines[3].endswith("20/40 trials")
    assert lines[4].startswith("★ 0.9877  trial 7   learning_rate 0.01")


def test_what_does_not_keep_the_bounds_is_neither_best_nor_on_the_front() -> None:
    beyond = picture(trials=[row(7)], is_feasible=False)
    lines = text_of(live_view(beyond, 100, 30), 100)
    assert lines[4].startswith("☆ no trial keeps all bounds; least beyond them: 0.9877  trial 7")
    assert not any("★" in line for line in lines)
    assert "best so far" not in ended_text(row(7), 3, beyond).plain
    assert "best so far" in ended_text(row(7), 3, replace(beyond, is_feasible=True)).plain
    several = replace(beyond, best=None, front={7}, found="no trial keeps all bounds")
    assert text_of(live_view(several, 100, 30), 100)[4] == "☆ no trial keeps all bounds"
    assert "on the front" not in ended_text(row(7), 3, several).plain


def test_a_run_without_trials_shows_its_head() -> None:
    lines = text_of(live_view(picture(best=None, trials=(), complete=0, pruned=0, failed=0, running=0), 80, 24), 80)
    assert any("no complete trial yet" in line for line in lines)
    assert any("0/40 trials" in line for line in lines)


def test_more_trials_than_the_study_wants_still_fit_into_the_bar() -> None:
    lines = text_of(live_view(picture(max_trials=10), 80, 24), 80)
    assert lines[2] == "━" * 80


def test_what_is_wrong_is_shown() -> None:
    assert any("disk is full" in line for line in text_of(live_view(picture(note="the disk is full"), 80, 24), 80))
