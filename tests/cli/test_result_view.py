"""The result of a study, and what pruning saved."""

from __future__ import annotations

from tests.cli.rows import row
from tests.cli.test_live_view import picture
from tests.cli.test_tables import text_of
from tuning_operator.api.status import Phase
from tuning_operator.api.study import Direction
from tuning_operator.cli.result_view import Result, result_view, saved_share
from tuning_operator.cli.study_reader import BestFound
from tuning_operator.cli.trial_rows import PRUNED, ranked


def test_the_result_fits_into_80_columns() -> None:
    trials = [row(number, value=number / 20) for number in range(20)]
    best = BestFound(19, 0.95, {"x": 0.1, "path": "p" * 200}, "job", "logs/" + "l" * 100)
    result = Result(picture(phase=Phase.COMPLETE, complete=20), "ended", trials, best, {"tuning best": "again"}, 0.254)
    lines = text_of(result_view(result, 80), 80)
    assert max(map(len, lines)) <= 80
    assert "pruning saved 25% of the training steps" in lines
    assert "and 10 more complete trials" in lines


def test_a_study_without_a_complete_trial_has_no_table() -> None:
    lines = text_of(result_view(Result(picture(phase=Phase.FAILED), "all failed", [], None, {}), 80), 80)
    assert "all failed" in lines
    assert not any("★" in line for line in lines)


def test_the_best_is_first_and_equal_ones_stand_in_the_order_of_their_numbers() -> None:
    rows = [row(0, value=1.0), row(1, value=2.0), row(2, value=2.0), row(3, PRUNED, value=9.0), row(4, value=None)]
    assert [each.number for each in ranked(rows, Direction.MAXIMIZE)] == [1, 2, 0]
    assert [each.number for each in ranked(rows, Direction.MINIMIZE)] == [0, 1, 2]


def test_the_saving_is_what_pruned_trials_left_out_of_all_steps() -> None:
    rows = [row(0), row(1), row(2, PRUNED), row(3, PRUNED)]
    assert saved_share(rows, {0: 10, 1: 10, 2: 2, 3: 4}) == (8 + 6) / 40


def test_no_saving_is_claimed_where_it_can_not_be_known() -> None:
    pruned = row(2, PRUNED)
    assert saved_share([row(0), row(1)], {0: 10, 1: 10}) is None, "nothing was pruned"
    assert saved_share([row(0), row(1), pruned], {0: 10, 1: 12, 2: 2}) is None, "trials differ in length"
    assert saved_share([pruned], {2: 2}) is None, "nobody knows how long a whole trial is"
    assert saved_share([row(0), pruned], {0: 1, 2: 1}) is None, "one report a trial"
    assert saved_share([row(0), pruned], {0: 5, 2: 7}) is None, "the pruned one ran longer"
