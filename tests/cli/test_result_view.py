"""The result of a study, and what pruning saved."""

from __future__ import annotations

from tests.cli.rows import row
from tests.cli.test_live_view import picture
from tests.cli.test_tables import text_of
from tuning_operator.api.metric_constraints import MetricConstraint
from tuning_operator.api.status import Phase
from tuning_operator.api.study import Direction, Objective
from tuning_operator.cli.local_reader import steps_of
from tuning_operator.cli.ranking import Aims, best_first
from tuning_operator.cli.result_view import Result, result_view, saved_share
from tuning_operator.cli.study_reader import BestFound
from tuning_operator.cli.trial_rows import PRUNED
from tuning_operator.ports import StoredReport


def _aims(direction: Direction) -> Aims:
    return Aims([Objective(metric="val_accuracy", direction=direction)])


def test_the_result_fits_into_80_columns() -> None:
    trials = [row(number, value=number / 20) for number in range(20)]
    best = BestFound(19, 0.95, {"x": 0.1, "path": "p" * 200}, "job", "logs/" + "l" * 100)
    result = Result(picture(phase=Phase.COMPLETE, complete=20), "ended", trials, best, {"tuning best": "again"}, 0.254)
    lines = text_of(result_view(result, 80), 80)
    assert max(map(len, lines)) <= 80
    assert "pruning saved 25% of the training steps" in lines
    assert "and 10 more complete trials" in lines


def test_metrics_with_bounds_stand_beside_the_best_value() -> None:
    values = {"val_accuracy": 0.95, "latency": 12.5, "memory": 3e9}
    best = BestFound(19, 0.95, {"x": 0.1}, "job", "log", values)
    lines = text_of(result_view(Result(picture(phase=Phase.COMPLETE), "ended", [], best, {}), 80), 80)
    place = next(number for number, line in enumerate(lines) if line.startswith("★ best  trial 19"))
    assert lines[place + 1] == "  latency 12.5  memory 3e+09"


def test_a_study_without_a_complete_trial_has_no_table() -> None:
    lines = text_of(result_view(Result(picture(phase=Phase.FAILED), "all failed", [], None, {}), 80), 80)
    assert "all failed" in lines
    assert not any("★" in line for line in lines)


def test_the_best_is_first_and_equal_ones_stand_in_the_order_of_their_numbers() -> None:
    rows = [row(0, value=1.0), row(1, value=2.0), row(2, value=2.0), row(3, PRUNED, value=9.0), row(4, value=None)]
    assert [each.number for each in best_first(rows, _aims(Direction.MAXIMIZE))] == [1, 2, 0]
    assert [each.number for each in best_first(rows, _aims(Direction.MINIMIZE))] == [0, 1, 2]


def test_one_that_keeps_the_bounds_comes_before_all_that_do_not() -> None:
    bounds = [MetricConstraint(metric="latency", max=20)]
    rows = [row(number, value=0.1 * number, further={"latency": latency}) for number, latency in enumerate((9, 30, 21))]
    aims = Aims(_aims(Direction.MAXIMIZE).objectives, bounds)
    assert [each.number for each in best_first(rows, aims)] == [0, 2, 1]


def test_of_several_objectives_only_the_trials_on_the_front_are_shown() -> None:
    several = Aims([*_aims(Direction.MAXIMIZE).objectives, Objective(metric="size", direction=Direction.MINIMIZE)])
    trials = [row(0, value=0.5, further={"size": 3.0}), row(1, value=0.9, further={"size": 9.0})]
    trials += [row(2, value=0.4, further={"size": 4.0}), row(3, value=0.99), row(4, PRUNED, value=0.99)]
    assert [each.number for each in best_first(trials, several)] == [1, 0]
    found = "front of 2, best val_accuracy 0.9000 (trial 1)"
    seen = picture(phase=Phase.COMPLETE, best=None, complete=3, aims=several, front={0, 1}, found=found)
    lines = text_of(result_view(Result(seen, "ended", trials, None, {}), 100), 100)
    assert sum("★ front" in line for line in lines) == 2
    assert "size" in next(line for line in lines if line.startswith("#"))


def test_of_several_objectives_it_is_said_when_no_trial_keeps_the_bounds() -> None:
    objectives = [*_aims(Direction.MAXIMIZE).objectives, Objective(metric="size", direction=Direction.MINIMIZE)]
    aims = Aims(objectives, [MetricConstraint(metric="size", max=5)])
    trials = [row(0, value=0.5, further={"size": 7.0}), row(1, value=0.9, further={"size": 9.0})]
    seen = picture(phase=Phase.COMPLETE, best=None, complete=2, aims=aims, front={0}, is_feasible=False)
    lines = text_of(result_view(Result(seen, "ended", trials, None, {}), 100), 100)
    assert "☆ no trial keeps all bounds; least beyond them:" in lines
    assert not any("★" in line for line in lines)


def test_a_best_trial_that_does_not_keep_the_bounds_is_not_called_the_best() -> None:
    best = BestFound(1, 0.5, {"x": 0.1}, "job", "log", {"val_accuracy": 0.5}, infeasible="`latency` 30 is above 20")
    aims = Aims(_aims(Direction.MAXIMIZE).objectives, [MetricConstraint(metric="latency", max=20)])
    seen = picture(phase=Phase.COMPLETE, aims=aims, is_feasible=False)
    trials = [row(1, value=0.5, further={"latency": 30.0})]
    lines = text_of(result_view(Result(seen, "ended", trials, best, {}), 120), 120)
    told = "☆ no trial keeps all bounds; least beyond them:  trial 1  val_accuracy 0.5  `latency` 30 is above 20"
    assert told in lines
    assert not any("★" in line for line in lines)


def test_the_saving_is_what_pruned_trials_left_out_of_all_steps() -> None:
    rows = [row(0), row(1), row(2, PRUNED), row(3, PRUNED)]
    assert saved_share(rows, {0: 10, 1: 10, 2: 2, 3: 4}) == (8 + 6) / 40


def test_a_trial_trains_the_steps_of_all_its_runs() -> None:
    def report(run: int, attempt: int, step: int) -> StoredReport:
        return StoredReport(attempt, step, {}, 0.0, run)

    first = [report(0, 1, 1), report(0, 1, 5), report(1, 1, 9)]
    assert steps_of(first) == 5 + 9
    assert steps_of([*first, report(1, 2, 4)]) == 5 + 4
    assert steps_of([]) == 0


def test_no_saving_is_claimed_where_it_can_not_be_known() -> None:
    pruned = row(2, PRUNED)
    assert saved_share([row(0), row(1)], {0: 10, 1: 10}) is None, "nothing was pruned"
    assert saved_share([row(0), row(1), pruned], {0: 10, 1: 12, 2: 2}) is None, "trials differ in length"
    assert saved_share([pruned], {2: 2}) is None, "nobody knows how long a whole trial is"
    assert saved_share([row(0), pruned], {0: 1, 2: 1}) is None, "one report a trial"
    assert saved_share([row(0), pruned], {0: 5, 2: 7}) is None, "the pruned one ran longer"
