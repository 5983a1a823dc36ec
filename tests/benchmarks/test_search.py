"""The benchmark of the search: its functions, its simulated time, its statistics, and a small run of all of it."""

from __future__ import annotations

import gzip
import math
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from scipy.optimize import minimize

from benchmarks.search.best import WHOLE_FRONT, BestFront
from benchmarks.search.cells import LIBRARY, PRODUCT, SIDES, TWIN, Cell, Result, all_cells, read
from benchmarks.search.functions import FUNCTIONS, Function, Point
from benchmarks.search.methods import NO_PRUNER, NO_PRUNER_OF_FOLDS, POPULATIONS, PRUNERS, SAMPLERS
from benchmarks.search.no_worse import Verdict, compare, holm, together, verdicts
from benchmarks.search.plots import draw_all
from benchmarks.search.report import all_tables, with_tables
from benchmarks.search.running import run_cell, run_cells
from benchmarks.search.simulation import Proposal, Values, simulate
from benchmarks.search.summary import Summary, quartiles, regret_after, regret_for
from benchmarks.search.training import EPOCH_SECONDS, EPOCHS, FOLDS, START_SECONDS, Reporting, train
from tests.fakes import FakeClock
from tuning_operator.api.parameters import Parameter
from tuning_operator.search.space import Space

ROOT = Path(__file__).parents[2]


def _drawn(chance: random.Random) -> Any:
    def draw(_name: str, distribution: BaseDistribution) -> Any:
        match distribution:
            case CategoricalDistribution(choices=choices):
                return chance.choice(choices)
            case FloatDistribution(low=low, high=high, log=log):
                return math.exp(chance.uniform(math.log(low), math.log(high))) if log else chance.uniform(low, high)
            case IntDistribution(low=low, high=high, log=True):
                return round(math.exp(chance.uniform(math.log(low - 0.499), math.log(high + 0.499))))
            case IntDistribution(low=low, high=high):
                return chance.randint(low, high)

    return draw


def _random_points(function: Function, count: int) -> list[Point]:
    space = Space([Parameter.model_validate(parameter) for parameter in function.parameters])
    chance = random.Random(1)
    return [space.typed(space.choose(_drawn(chance))) for _ in range(count)]


SINGLE = [function for function in FUNCTIONS.values() if function.second is None]


@pytest.mark.parametrize("function", SINGLE, ids=lambda function: function.name)
class TestFunctions:
    def test_the_minimum_is_where_it_is_said_to_be(self, function: Function) -> None:
        assert function.value(function.minimiser) == pytest.approx(function.minimum, abs=1e-5)
        space = Space([Parameter.model_validate(parameter) for parameter in function.parameters])
        assert all(p.contains(function.minimiser[p.name]) for p in space.parameters if p.is_active(function.minimiser))

    def test_no_descent_from_there_finds_less(self, function: Function) -> None:
        numbers = [each["name"] for each in function.parameters if each["type"] == "Float"]

        def value(x: np.ndarray) -> float:
            return function.value({**function.minimiser, **dict(zip(numbers, x.tolist(), strict=True))})

        bounds = [(each["low"], each["high"]) for each in function.parameters if each["name"] in numbers]
        found = minimize(value, [function.minimiser[name] for name in numbers], bounds=bounds)
        assert found.fun == pytest.approx(function.minimum, abs=1e-5)

    def test_one_random_point_in_a_thousand_reaches_the_target(self, function: Function) -> None:
        regrets = [function.regret(point) for point in _random_points(function, 20_000)]
        assert 8 <= sum(regret <= function.target for regret in regrets) <= 40
        assert np.median(regrets) == pytest.approx(function.spread, rel=0.1)


def test_the_true_front_of_zdt1_lacks_nothing_and_a_thousand_random_points_reach_the_target() -> None:
    true, found, zdt1 = BestFront(), BestFront(), FUNCTIONS["zdt1"]
    for share in np.linspace(0, 1, 2001).tolist():
        point = {**zdt1.minimiser, "a": share}
        true.take(point, zdt1.values(point))
    assert true.hypervolume == pytest.approx(WHOLE_FRONT, abs=1e-3)
    for point in _random_points(zdt1, 1000):
        found.take(point, zdt1.values(point))
    assert WHOLE_FRONT - found.hypervolume == pytest.approx(zdt1.target, rel=0.2)


def test_a_front_has_what_no_other_trial_is_better_than() -> None:
    front = BestFront()
    for values, gained in [((0.5, 1.0), True), ((0.6, 1.0), False), ((0.1, 3.0), True), ((0.5, 1.0), False)]:
        assert (front.take({}, values) is not None) is gained
    assert front.hypervolume == pytest.approx(0.4 * 8 + 0.6 * 10)
    front.take({}, (0.0, 0.0))
    assert front.hypervolume == pytest.approx(1.1 * 11)


def test_beale_has_the_value_of_the_literature_at_a_bad_guess() -> None:
    assert FUNCTIONS["beale"].value({"x": 4.0, "y": 4.0}) == pytest.approx(68891.203125)


def test_a_training_ends_at_the_functions_value_whether_or_not_it_reports_on_its_way() -> None:
    function, point = FUNCTIONS["beale"], {"x": 1.0, "y": 1.0}
    whole, end = (
        train(function, point, seed=1, number=2, reporting=each) for each in (Reporting.EPOCHS, Reporting.END)
    )
    assert len(whole.values) == EPOCHS
    assert whole.values[-1] == end.values[-1] == function.values(point)
    assert whole.seconds == pytest.approx(end.seconds)
    assert whole.values[0] > whole.values[-1]
    assert train(function, point, seed=1, number=3, reporting=Reporting.EPOCHS) != whole


def test_a_trials_folds_share_its_time_and_are_as_hard_as_other_trials_and_their_mean_is_its_value() -> None:
    hartmann, good = FUNCTIONS["hartmann"], FUNCTIONS["hartmann"].minimiser
    bad = dict.fromkeys(good, 0.0)
    first, second = (train(hartmann, point, 1, n, Reporting.FOLDS) for n, point in enumerate((good, bad)))
    whole = train(hartmann, good, 1, 0, Reporting.END)
    assert len(first.values) == FOLDS
    assert first.seconds == pytest.approx(whole.seconds)
    assert first.result[0] == pytest.approx(np.mean(first.values))
    assert abs(first.result[0] - whole.result[0]) < hartmann.spread / 5
    gaps = np.subtract(second.values, first.values)
    assert np.std(gaps) < np.std(first.values) / 2, "a hard fold is hard for both"


def test_noise_is_reported_but_not_counted() -> None:
    noisy, point = FUNCTIONS["noisy"], FUNCTIONS["noisy"].minimiser
    reported = {train(noisy, point, seed=1, number=number, reporting=Reporting.END).values[-1] for number in range(5)}
    assert len(reported) == 5
    assert noisy.regret(point) < 1e-5


def _alike(count: int) -> list[Proposal]:
    return [Proposal(number, {"x": 3.0, "y": 0.5}) for number in range(count)]


class Patient:
    """A searcher of given trials, a number of which run at a time; it stops those that it is told to."""

    def __init__(self, trials: list[Proposal], parallelism: int, stopped: frozenset[int] = frozenset()) -> None:
        self.clock = FakeClock()
        self.begun_at = self.clock.now()
        self.ends: list[tuple[int, float]] = []
        self.reports: list[tuple[int, int, float]] = []
        self._rest = iter(trials)
        self._parallelism = parallelism
        self._stopped = stopped

    async def begin(self) -> list[Proposal]:
        return [next(self._rest) for _ in range(self._parallelism)]

    async def report(self, number: int, step: int, values: Values) -> bool:
        self.reports.append((number, step, self.clock.now() - self.begun_at))
        return number in self._stopped

    async def end(self, number: int, step: int, values: Values, result: Values | None) -> list[Proposal]:
        self.ends.append((number, self.clock.now() - self.begun_at))
        return [proposal for proposal in [next(self._rest, None)] if proposal is not None]


async def test_simulated_time_goes_from_event_to_event_and_each_trial_takes_its_own() -> None:
    function = FUNCTIONS["beale"]
    searcher = Patient(_alike(6), parallelism=2)
    course = await simulate(searcher, function, seed=1, reporting=Reporting.END)
    times = [train(function, {"x": 3.0, "y": 0.5}, 1, number, Reporting.END).seconds for number in range(6)]
    free = [0.0, 0.0]
    expected = {}
    for number, seconds in enumerate(times):  # the slot that is free first gets the next trial
        slot = free.index(min(free))
        free[slot] += seconds
        expected[number] = free[slot]
    assert dict(searcher.ends) == pytest.approx(expected)
    assert [time for _, time in searcher.ends] == sorted(time for _, time in searcher.ends)
    assert course.seconds == pytest.approx(max(free))
    assert course.gpu_seconds == pytest.approx(sum(times))
    assert course.ended == 6


async def test_a_trial_that_goes_on_from_another_costs_its_own_epochs_and_one_more_start() -> None:
    function, point = FUNCTIONS["beale"], {"x": 3.0, "y": 0.5}
    searcher = Patient([Proposal(0, point, budget=3), Proposal(1, point, parent=0, budget=9)], parallelism=1)
    course = await simulate(searcher, function, seed=1, reporting=Reporting.EPOCHS)
    training = train(function, point, 1, 0, Reporting.EPOCHS)
    assert [(number, step) for number, step, _ in searcher.reports] == [
        (0, 1),
        (0, 2),
        *((1, n) for n in range(4, 9)),
    ]
    assert course.gpu_seconds == pytest.approx(2 * START_SECONDS + 9 * training.step_seconds)
    assert searcher.ends[-1][1] == pytest.approx(course.gpu_seconds)


async def test_a_stopped_trial_costs_only_what_it_ran_and_is_never_the_best() -> None:
    function = FUNCTIONS["beale"]
    searcher = Patient(_alike(1), parallelism=1, stopped=frozenset({0}))
    course = await simulate(searcher, function, seed=1, reporting=Reporting.EPOCHS)
    epoch = train(function, {"x": 3.0, "y": 0.5}, 1, 0, Reporting.EPOCHS).step_seconds
    assert [(number, step) for number, step, _ in searcher.reports] == [(0, 1)]
    assert course.gpu_seconds == pytest.approx(START_SECONDS + epoch)
    assert (course.pruned, course.improvements) == (1, [])
    assert EPOCH_SECONDS / 5 < epoch < EPOCH_SECONDS * 5


@pytest.mark.parametrize("function", ["network", "zdt1"])
@pytest.mark.parametrize("parallelism", [1, 4])
@pytest.mark.parametrize("sampler", ["TPE", "NSGAII", "Random"])
def test_optuna_with_the_products_random_numbers_finds_the_same(
    sampler: str, parallelism: int, function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Cell, "evaluations", 24)
    cells = [Cell(side, sampler, "-", function, parallelism, 3) for side in (PRODUCT, TWIN, LIBRARY)]
    product, twin, library = (run_cell(cell) for cell in cells)
    assert product.improvements == twin.improvements
    assert product.improvements != library.improvements
    assert product.seconds == twin.seconds


OPTUNAS = {name for name, pruning in PRUNERS.items() if pruning.library is not None}


@pytest.mark.parametrize("sampler", ["Random", "TPE"])
@pytest.mark.parametrize("pruner", sorted(OPTUNAS))
def test_a_pruner_stops_the_same_trials_as_optunas(pruner: str, sampler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Cell, "evaluations", 24)
    product, twin = (run_cell(Cell(side, sampler, pruner, "network", 4, 3)) for side in (PRODUCT, TWIN))
    assert (product.pruned, product.gpu_seconds) == (twin.pruned, twin.gpu_seconds)
    assert (product.pruned > 0) == (pruner not in (NO_PRUNER, NO_PRUNER_OF_FOLDS))


def test_synchronous_hyperband_trains_the_epochs_of_its_brackets() -> None:
    result = run_cell(Cell(PRODUCT, "Random", "SynchronousHyperband", "network", 8, 0))
    assert result.pruned == 0
    # 3 times 375 epochs of a minute, each trial's of its own length, beside 210 starts.
    assert 0.7 < (result.gpu_seconds - 210 * START_SECONDS) / (3 * 375 * EPOCH_SECONDS) < 1.4


@pytest.mark.parametrize(("strategy", "epochs"), [("PopulationBasedTraining", 20 * 27), ("MIHA", 27 + 3 * 8 * 2)])
def test_a_population_trains_the_epochs_of_its_schedule(strategy: str, epochs: int) -> None:
    result = run_cell(Cell(PRODUCT, "Random", strategy, "network", 8, 0))
    starts = POPULATIONS[strategy].evaluations * START_SECONDS
    # MIHA's are of one net, whose epochs are up to two or three times as long or short as others'.
    assert 0.4 < (result.gpu_seconds - starts) / (epochs * EPOCH_SECONDS) < 2.5


def test_evolution_trains_whole_trials_without_their_curves() -> None:
    cell = Cell(PRODUCT, "Random", "RegularizedEvolution", "network", 8, 0)
    result = run_cell(cell)
    assert cell.reporting is Reporting.END
    assert result.gpu_seconds == pytest.approx(
        sum(
            train(FUNCTIONS["network"], FUNCTIONS["network"].minimiser, 0, n, Reporting.END).seconds for n in range(128)
        )
    )


@pytest.mark.parametrize("sampler", sorted({*SAMPLERS} - {"GP"}))  # too slow for here
@pytest.mark.parametrize("side", [PRODUCT, LIBRARY])
def test_every_sampler_runs_on_both_sides(sampler: str, side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Cell, "evaluations", 12)
    result = run_cell(Cell(side, sampler, "-", "beale", 8, 0))
    assert result.improvements[0][0] == 1
    assert result.improvements[-1][0] <= 12
    assert result.pruned == 0


RESULT = Result(Cell(PRODUCT, "TPE", "-", "beale", 8, 3), [(1, 100.0, 5.0), (7, 900.0, 0.5)], 1000.0, 7000.0, 0, 1.5)


def test_a_result_survives_its_line() -> None:
    assert Result.from_line(RESULT.to_line()) == RESULT


def test_a_target_is_reached_at_the_first_trial_that_is_good_enough() -> None:
    assert RESULT.reached(5.0) == (1, 100.0)
    assert RESULT.reached(1.0) == (7, 900.0)
    assert RESULT.reached(0.1) is None


def test_files_of_several_machines_make_one_and_a_half_line_does_no_harm(tmp_path: Path) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl.gz"
    first.write_text(RESULT.to_line() + "\n" + RESULT.to_line()[:40])
    other = Result(Cell(LIBRARY, "TPE", "-", "beale", 8, 3), RESULT.improvements, 1000.0, 7000.0, 0, 0.5)
    second.write_bytes(gzip.compress((RESULT.to_line() + "\n" + other.to_line() + "\n").encode()))
    assert read([first, second]) == {RESULT.cell: RESULT, other.cell: other}


def test_no_cell_stands_twice_and_every_method_has_some() -> None:
    cells = [*all_cells(range(3))]
    assert len(cells) == len(set(cells))
    assert {cell.sampler for cell in cells} == set(SAMPLERS)
    assert {cell.pruner for cell in cells} == {"-", *PRUNERS, *POPULATIONS}
    assert {cell.side for cell in cells} == set(SIDES)


def _regrets(seed: int, spread: float, mean: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, spread, 20)


LIBRARY_REGRETS = _regrets(1, 0.1)
RANDOM_REGRETS = LIBRARY_REGRETS + 4.0


def test_the_same_results_are_no_worse() -> None:
    assert verdicts({"f": compare(LIBRARY_REGRETS, LIBRARY_REGRETS, RANDOM_REGRETS)}) == {"f": Verdict.SAME}


def test_other_seeds_of_the_same_method_are_no_worse_where_the_gap_to_random_search_is_wide() -> None:
    comparison = compare(_regrets(2, 0.1), LIBRARY_REGRETS, RANDOM_REGRETS)
    assert comparison.margin == pytest.approx(0.2, rel=0.1)
    assert verdicts({"f": comparison}) == {"f": Verdict.NO_WORSE}


def test_what_loses_more_than_the_margin_is_worse() -> None:
    assert verdicts({"f": compare(LIBRARY_REGRETS + 0.5, LIBRARY_REGRETS, RANDOM_REGRETS)}) == {"f": Verdict.WORSE}


def test_nothing_is_shown_where_the_seeds_differ_more_than_the_margin_is_wide() -> None:
    comparison = compare(_regrets(3, 0.5), _regrets(4, 0.5), np.full(20, 1.5))
    assert verdicts({"f": comparison}) == {"f": Verdict.UNDECIDED}


def test_functions_that_show_nothing_alone_may_show_it_together() -> None:
    pairs = [compare(_regrets(seed, 0.6), _regrets(seed + 9, 0.6), _regrets(seed, 0.6, mean=5.0)) for seed in range(9)]
    assert set(verdicts({str(number): pair for number, pair in enumerate(pairs)}).values()) == {Verdict.UNDECIDED}
    assert together(pairs)[0] is Verdict.NO_WORSE
    assert together([compare(LIBRARY_REGRETS + 0.3, LIBRARY_REGRETS, RANDOM_REGRETS)])[0] is Verdict.WORSE
    assert together([])[0] is Verdict.UNDECIDED


def test_there_is_no_margin_where_the_library_is_no_better_than_random_search() -> None:
    assert compare(LIBRARY_REGRETS, LIBRARY_REGRETS, LIBRARY_REGRETS - 1.0).margin == 0.0


def test_holm_multiplies_the_smallest_p_by_the_number_of_tests_and_keeps_the_order() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})
    assert holm({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0}


def test_a_verdict_counts_all_functions_together() -> None:
    barely = compare(LIBRARY_REGRETS + _regrets(8, 0.1, mean=0.15), LIBRARY_REGRETS, RANDOM_REGRETS)
    assert 0.05 / 8 < barely.p_no_worse < 0.05
    assert verdicts({"f": barely}) == {"f": Verdict.NO_WORSE}
    assert set(verdicts({str(number): barely for number in range(8)}).values()) == {Verdict.UNDECIDED}


def test_the_program_computes_in_processes_and_goes_on_where_it_was_broken_off(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    command = [
        sys.executable,
        "-m",
        "benchmarks.search",
        f"--out={file}",
        "--jobs=2",
        "--seeds=1",
        "--samplers",
        "Random",
    ]
    chosen = ["--functions", "network", "--pruners", "Median", "--sides"]

    def run(*sides: str) -> str:
        done = subprocess.run([*command, *chosen, *sides], cwd=ROOT, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stderr
        return done.stderr

    assert "1 studies to compute, 0 known" in run(PRODUCT)
    assert "1 studies to compute, 1 known" in run(PRODUCT, TWIN)
    product, twin = read([file]).values()
    assert product.gpu_seconds == twin.gpu_seconds


def _made_up(seeds: int = 4) -> Summary:
    """Return results of all cells: the product as good as Optuna, everything better than random search."""
    results = {}
    for cell in all_cells(range(seeds)):
        quality = {"Random": 4.0, "TPE": 0.5}.get(cell.sampler, 1.0) + 0.1 * cell.seed
        improvements = [(1, 3600.0, 10 * quality), (20, 72_000.0 / cell.parallelism, quality)]
        gpu_seconds = 100.0 if cell.pruner in ("-", NO_PRUNER, NO_PRUNER_OF_FOLDS) else 40.0
        results[cell] = Result(cell, improvements, 80_000.0, gpu_seconds, 0, 1.0)
    return Summary(results)


def test_the_tables_show_medians_and_quartiles_and_the_verdict_on_each_function() -> None:
    made = all_tables(_made_up())
    rows = {row.split(" | ")[0]: row for row in made["regrets"].splitlines()}
    assert "| **0.65** (0.55 – 0.75) |" in rows["| Beale, 2"]
    assert "4.15 (4.05 – 4.25)" in rows["| Beale, 2"]
    assert rows["| studies"].startswith("| studies | 8 | 8 | 8 |")
    assert "| TPE | 8 | 4 | = | = | = | = | = | = | = | = | = | = |  | = 9 of 9 |" in made["beside Optuna"]
    assert "| Median | 60%, 4.15 (8) | 60%, 4.15 (8) | 60%, 4.15 (8) | 60%, 0.65 (8) |" in made["pruners"]
    assert "| SynchronousHyperband | 60%, 4.15 (4) | 60%, 4.15 (4) | 60%, 4.15 (4) |  |  |  |  |" in made["pruners"]
    populations = made["populations"].splitlines()
    assert populations[2].startswith(
        "| PopulationBasedTraining | Hartmann, 6 | 0.011 | 4.15 (4.05 – 4.25) | 4.15 (4.05 – 4.25) | 0 : 0 |"
    )
    assert populations[2].endswith("| 0.65 (0.55 – 0.75) | 0 : 4 |")
    assert "| Random, Median | 4.15 / 4.15 (0 : 0) / 0.65 (0 : 8) |" in made["with the same GPU time"]
    assert (
        "| 8 | Beale, 2 | 0.65 (0.55 – 0.75) | 0.65 (0.55 – 0.75) | – (0/4) | – (0/4) | – (0/4) | – (0/4) |"
        in made["TPE side by side"]
    )
    assert "| Median | TPE, Hartmann, 6 | 0.011 (0.011 – 0.011) |" in made["pruners side by side"]
    assert made["pruners"].splitlines()[3].endswith("| 12 of 12 |")
    assert made["ranks"].splitlines()[2].startswith("| 1 | 1.0 | 5.0")


def test_a_trial_counts_only_once_it_has_ended() -> None:
    assert [regret_after(RESULT, ended) for ended in (0, 1, 6, 7)] == [math.inf, 5.0, 5.0, 0.5]


def test_what_gpu_time_finds_is_that_of_the_trials_that_it_pays_for() -> None:
    trial = RESULT.gpu_seconds / RESULT.cell.evaluations
    assert [regret_for(RESULT, trials * trial) for trials in (0, 1, 6, 7)] == [math.inf, 5.0, 5.0, 0.5]
    assert regret_for(RESULT, RESULT.gpu_seconds) == RESULT.regret, "beside itself it is neither better nor worse"


def test_the_quartiles_are_the_medians_of_both_halves_and_know_infinity() -> None:
    assert quartiles([4.0, 1.0, 3.0, 2.0]) == (1.5, 2.5, 3.5)
    assert quartiles([1.0, 2.0, 3.0]) == (1.5, 2.0, 2.5)
    assert quartiles([1.0, math.inf, 2.0, math.inf]) == (1.5, math.inf, math.inf)
    assert quartiles([5.0]) == (5.0, 5.0, 5.0)


def test_targets_are_compared_seed_by_seed_and_one_never_reached_is_later() -> None:
    other = replace(RESULT, cell=replace(RESULT.cell, side=LIBRARY), improvements=[(1, 100.0, 5.0)])
    ours = replace(RESULT, improvements=[(7, 1800.0, 0.01)])
    summary = Summary({each.cell: each for each in (ours, other)})
    assert summary.hours_to_target("TPE", 8, "-") == [(0.5, math.inf)]


def test_tables_replace_what_stands_in_the_page_between_their_marks() -> None:
    page = "before\n<!-- measured: ranks -->\nold\n<!-- end -->\nafter\n"
    assert with_tables(page, {"ranks": "new"}) == "before\n<!-- measured: ranks -->\n\nnew\n\n<!-- end -->\nafter\n"
    with pytest.raises(KeyError):
        with_tables(page, {})


def test_pictures_are_drawn_also_of_an_unfinished_run(tmp_path: Path) -> None:
    for summary in (_made_up(2), Summary({RESULT.cell: RESULT}), Summary({})):
        files = draw_all(summary, tmp_path)
        assert all("<svg" in file.read_text() for file in files)
        assert all_tables(summary)


def test_a_study_that_fails_is_told_of_and_the_others_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    unknown, known = Cell(LIBRARY, "Random", "-", "nowhere", 1, 0), Cell(LIBRARY, "Random", "-", "beale", 1, 0)
    assert [result.cell for result in run_cells([unknown, known], jobs=1, seconds=100)] == [known]
    assert (
        "no result of Cell(side='optuna', sampler='Random', pruner='-', function='nowhere'" in capsys.readouterr().err
    )
