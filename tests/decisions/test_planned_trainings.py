from __future__ import annotations

from tests.builders import snapshot, spec, trial_fields
from tuning_operator.api.status import ConditionType
from tuning_operator.decisions.history import History
from tuning_operator.decisions.planned_trainings import planned_epochs, planned_trainings, warnings_of_cost
from tuning_operator.decisions.study_status import study_status


def test_each_repeat_of_each_fold_is_a_training() -> None:
    assert planned_trainings(spec(maxTrials=10)) == 10
    assert planned_trainings(spec(maxTrials=10, trial=trial_fields(repeats=3))) == 30
    assert planned_trainings(spec(maxTrials=10, trial=trial_fields(repeats=3, folds=5))) == 150


def test_a_strategy_plans_epochs_for_each_run_of_the_trials_there_may_be() -> None:
    sampler = {"name": "SynchronousHyperband", "options": {"maxResource": 9}}
    fields = trial_fields(checkpoints={"claimName": "c"}, repeats=2)
    assert planned_epochs(spec(search={"sampler": sampler}, maxTrials=100, trial=fields)) == 2 * 75
    assert planned_epochs(spec(search={"sampler": sampler}, maxTrials=9, trial=fields)) == 2 * 9
    assert planned_epochs(spec()) is None


def test_a_strategy_plans_epochs_for_all_iterations_that_its_trials_come_to() -> None:
    sampler = {"name": "SynchronousHyperband", "options": {"maxResource": 9, "iterations": 3}}
    fields = trial_fields(checkpoints={"claimName": "c"})
    for most, epochs in ((100, 3 * 75), (69, 3 * 75), (46, 2 * 75), (23 + 10, 75 + 11), (10, 11)):
        assert planned_epochs(spec(search={"sampler": sampler}, maxTrials=most, trial=fields)) == epochs


def test_no_more_is_planned_than_the_search_has_points_for() -> None:
    assert planned_trainings(spec(maxTrials=10, trial=trial_fields(repeats=3)), size=4) == 12
    assert planned_trainings(spec(maxTrials=10), size=40) == 10
    assert warnings_of_cost(spec(maxTrials=100_000), size=16) == []
    known = snapshot(maxTrials=10, history=History(size=4))
    assert study_status(known, "token").planned_trainings == 4


def test_the_status_shows_what_is_planned_before_it_is_paid_and_warns_of_much() -> None:
    status = study_status(snapshot(maxTrials=2001, trial=trial_fields(folds=5)), "token")
    accepted = status.condition(ConditionType.ACCEPTED)
    assert accepted is not None
    assert (status.planned_trainings, accepted.status, accepted.reason) == (10_005, "True", "ValidWithWarnings")
    assert "10,005 trainings are planned (2,001 trials x 5 folds)" in accepted.message


def test_a_usual_study_is_not_warned_of() -> None:
    assert warnings_of_cost(spec(maxTrials=10_000)) == []
