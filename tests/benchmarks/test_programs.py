"""Each program runs and says what it measured; how fast anything is matters to nobody here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import PROGRAMS, run_program
from benchmarks.figures import Figure, quantile
from benchmarks.next_job import histogram_quantile, read_buckets
from benchmarks.table import cells, markdown

Run = Callable[..., list[dict[str, Any]]]
"""(program, arguments, environment) -> figures."""

ROOT = Path(__file__).parents[2]

LOCAL = {
    "imports": (["--repeats=1", "--trials=30"], 3),
    "memory": (["--finished=30", "--running=5"], 1),
    "local_run": (["--trials=3", "--seconds=0.1"], 1),
    "pruning": (["--finished=20", "--decisions=5"], 3),
    "search_overhead": (["--few=20", "--many=30", "--few-gp=12", "--asks=2", "--gp-asks=1", "--seconds=0.3"], 7),
    "report_latency": (["--finished=20", "--running=5", "--rate=20", "--seconds=0.3", "--databases", "SQLite"], 4),
    "durable_reports": (["--connections=20", "--seconds=0.3", "--databases", "SQLite"], 2),
}
"""Programs that need no control plane: their sizes here, and how many figures they find."""

ON_A_CLUSTER = {"api_requests", "first_job", "many_studies", "next_job", "sustained", "takeover"}
"""Programs that need one, whose start alone takes as long as all of this file."""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a program as a user does; return its figures."""

    def call(program: str, *arguments: str, **environment: str) -> list[dict[str, Any]]:
        file = tmp_path / "figures.json"
        command = [sys.executable, "-m", f"benchmarks.{program}", "--quick", f"--json={file}", *arguments]
        variables = {**os.environ, **environment}
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=variables, timeout=120)
        assert done.returncode == 0, done.stderr
        figures: list[dict[str, Any]] = json.loads(file.read_text())
        assert all(figure["name"] in done.stdout for figure in figures)
        return figures

    return call


@pytest.mark.parametrize("program", sorted(LOCAL))
def test_a_program_measures_its_figures_beside_a_reference(program: str, run: Run) -> None:
    arguments, count = LOCAL[program]
    figures = run(program, *arguments)
    assert len(figures) == count
    for figure in figures:
        assert figure["measured"] is not None, figure
        assert figure["reference"] is not None, figure
        assert figure["compared_with"], figure
        assert (figure["within_budget"] is None) == (figure["budget"] is None), figure


@pytest.mark.parametrize("program", sorted(ON_A_CLUSTER))
def test_a_missing_control_plane_is_named_instead_of_measured(program: str, run: Run) -> None:
    figures = run(program, KUBEBUILDER_ASSETS="", PATH=os.defpath)
    assert [figure["measured"] for figure in figures] == [None]
    assert "not measured" in figures[0]["note"]


def test_a_missing_database_server_is_named_instead_of_measured(run: Run) -> None:
    figures = run("durable_reports", "--databases", "PostgreSQL", TEST_POSTGRESQL_URL="")
    assert figures[0]["measured"] is None
    assert "TEST_POSTGRESQL_URL" in figures[0]["note"]


def test_all_programs_are_known() -> None:
    assert set(PROGRAMS) == {*LOCAL, *ON_A_CLUSTER}


def test_a_program_that_fails_is_a_row_and_ends_nothing() -> None:
    (figure,) = run_program("no_such_program", quick=True)
    assert figure.measured is None
    assert "status 1" in figure.note


def test_a_figure_survives_its_document() -> None:
    figure = Figure("throughput", "/s", 100.0, 120.0, 150.0, "nothing", at_least=True, note="small", load=0.5)
    assert Figure.from_document(json.loads(json.dumps(figure.to_document()))) == figure


@pytest.mark.parametrize(
    ("measured", "at_least", "within"), [(5.0, False, True), (5.1, False, False), (5.1, True, True), (4.9, True, False)]
)
def test_a_budget_is_an_upper_bound_or_a_lower_one(measured: float, at_least: bool, within: bool) -> None:
    figure = Figure("time", "ms", 5.0, measured, at_least=at_least)
    assert figure.within_budget is within
    assert cells(figure)[1:4] == (
        "≥ 5.00 ms" if at_least else "≤ 5.00 ms",
        f"{measured:.2f} ms",
        "yes" if within else "no",
    )


def test_the_table_shows_a_figure_without_a_budget() -> None:
    assert "| – |" in markdown([Figure("time", "ms", None, 1.0)])


def test_quantiles_are_values_that_were_measured() -> None:
    assert [quantile(range(100), part) for part in (0.5, 0.99, 1.0)] == [50, 99, 99]


def _buckets(*counts: float) -> str:
    return "".join(
        f'x_bucket{{le="{limit}"}} {count}\n' for limit, count in zip(["0.01", "0.05", "+Inf"], counts, strict=True)
    )


def test_a_histograms_quantile_is_the_limit_of_its_bucket() -> None:
    found = read_buckets(_buckets(5.0, 9.0, 10.0), "x")
    assert [histogram_quantile({}, found, part) for part in (0.5, 0.9, 0.99)] == [10.0, 50.0, float("inf")]


def test_what_a_histogram_had_before_does_not_count() -> None:
    before, after = (read_buckets(_buckets(*counts), "x") for counts in [(4.0, 4.0, 4.0), (5.0, 9.0, 10.0)])
    assert histogram_quantile(before, after, 0.5) == 50.0
