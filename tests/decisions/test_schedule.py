"""What strategies lay down before they are run."""

from __future__ import annotations

import pytest

from tuning_operator.api.samplers import RandomOptions
from tuning_operator.api.strategies import MIHAOptions, PopulationBasedTrainingOptions, SynchronousHyperbandOptions
from tuning_operator.decisions.schedule import brackets, schedule_of

HYPERBAND: dict[int, tuple[str, int, int]] = {
    100: ("98@2 33@4 11@12 4@34 2@100 | 41@4 14@12 5@34 2@100 | 18@12 6@34 2@100 | 9@34 3@100 | 6@100", 254, 2672),
    81: ("81@1 27@3 9@9 3@27 1@81 | 34@3 12@9 4@27 2@81 | 15@9 5@27 2@81 | 8@27 3@81 | 5@81", 211, 1767),
    27: ("27@1 9@3 3@9 1@27 | 12@3 4@9 2@27 | 6@9 2@27 | 4@27", 70, 375),
    10: ("12@2 4@4 2@10 | 6@4 2@10 | 4@10", 30, 120),
    9: ("9@1 3@3 1@9 | 5@3 2@9 | 3@9", 23, 75),
    3: ("3@1 1@3 | 2@3", 6, 11),
}
"""Largest resource -> rungs of each bracket as trials@steps, trials in all, steps in all; the factor is 3."""


@pytest.mark.parametrize("largest", HYPERBAND)
def test_hyperbands_brackets_are_those_of_the_book(largest: int) -> None:
    options = SynchronousHyperbandOptions(max_resource=largest)
    rows = " | ".join(" ".join(f"{rung.trials}@{rung.steps}" for rung in bracket) for bracket in brackets(options))
    schedule = schedule_of(options)
    assert schedule is not None
    assert (rows, schedule.trials, schedule.steps) == HYPERBAND[largest]


def test_no_bracket_begins_below_the_smallest_resource() -> None:
    options = SynchronousHyperbandOptions(min_resource=3, max_resource=27)
    assert [[(rung.trials, rung.steps) for rung in bracket] for bracket in brackets(options)] == [
        [(9, 3), (3, 9), (1, 27)],
        [(5, 9), (2, 27)],
        [(3, 27)],
    ]


@pytest.mark.parametrize("exponent", range(2, 31))
def test_exact_powers_are_not_missed(exponent: int) -> None:
    assert len(brackets(SynchronousHyperbandOptions(max_resource=2**exponent, reduction_factor=2))) == exponent + 1
    assert len(brackets(SynchronousHyperbandOptions(max_resource=2**exponent - 1, reduction_factor=2))) == exponent


@pytest.mark.parametrize(
    ("most", "rows", "steps"),
    [(10, "9@1 1@3", 11), (14, "9@1 3@3 1@9 | 1@3", 24), (23, "9@1 3@3 1@9 | 5@3 2@9 | 3@9", 75), (99, None, 75)],
)
def test_a_plan_that_is_cut_off_costs_what_is_done_of_it(most: int, rows: str | None, steps: int) -> None:
    schedule = schedule_of(SynchronousHyperbandOptions(max_resource=9))
    assert schedule is not None
    cut = schedule.cut(most)
    assert cut.steps == steps
    assert cut.trials == min(most, 23)
    assert rows in (None, " | ".join(" ".join(f"{each.trials}@{each.steps}" for each in row) for row in cut.rows))


@pytest.mark.parametrize(
    ("most", "steps", "configurations"),
    [(10, 11, 9), (23, 75, 17), (23 + 10, 75 + 11, 17 + 9), (3 * 23, 3 * 75, 3 * 17), (99, 3 * 75, 3 * 17)],
)
def test_a_plan_of_several_iterations_is_cut_off_in_one_of_them(most: int, steps: int, configurations: int) -> None:
    schedule = schedule_of(SynchronousHyperbandOptions(max_resource=9, iterations=3))
    assert schedule is not None
    cut = schedule.cut(most)
    assert (cut.trials, cut.steps, cut.configurations) == (min(most, 69), steps, configurations)


def test_every_iteration_costs_the_same() -> None:
    once, thrice = (schedule_of(SynchronousHyperbandOptions(max_resource=9, iterations=n)) for n in (1, 3))
    assert once is not None
    assert thrice is not None
    assert (thrice.trials, thrice.steps) == (3 * once.trials, 3 * once.steps)
    assert (thrice.rows, thrice.times) == (once.rows, 3)


def test_a_population_trains_generation_by_generation() -> None:
    schedule = schedule_of(PopulationBasedTrainingOptions(population_size=8, interval=5, generations=3))
    assert schedule is not None
    assert [[(each.trials, each.steps) for each in row] for row in schedule.rows] == [[(8, 5), (8, 10), (8, 15)]]
    assert (schedule.trials, schedule.steps) == (24, 120)


@pytest.mark.parametrize(
    ("cycles", "population", "n", "k", "m"), [(2, 4, 2, 4, 3), (10, 5, 3, 3, 10), (15, 4, 4, 10, 10)]
)
def test_miha_trains_twice_its_run_up_and_in_each_cycle_its_individuals_and_the_chosen_net(
    cycles: int, population: int, n: int, k: int, m: int
) -> None:
    options = MIHAOptions(
        cycles=cycles, population_size=population, epochs_per_individual=n, fixing_epochs=k, runup_epochs=m
    )
    schedule = schedule_of(options)
    assert schedule is not None
    assert schedule.steps == 2 * m + cycles * population * n + cycles * k
    assert schedule.trials == 2 + cycles * (population + 1)
    assert schedule.rows[0][-1].steps == 2 * m + cycles * (n + k)


def test_an_ordinary_sampler_lays_nothing_down() -> None:
    assert schedule_of(RandomOptions()) is None
