from __future__ import annotations

from tests.builders import snapshot, spec, trial_fields
from tuning_operator.api.status import ConditionType
from tuning_operator.decisions.planned_trainings import planned_trainings, warnings_of_cost
from tuning_operator.decisions.study_status import study_status


def test_each_repeat_of_each_fold_is_a_training() -> None:
    assert planned_trainings(spec(maxTrials=10)) == 10
    assert planned_trainings(spec(maxTrials=10, trial=trial_fields(repeats=3))) == 30
    assert planned_trainings(spec(maxTrials=10, trial=trial_fields(repeats=3, folds=5))) == 150


def test_the_status_shows_what_is_planned_before_it_is_paid_and_warns_of_much() -> None:
    status = study_status(snapshot(maxTrials=2001, trial=trial_fields(folds=5)), "token")
    accepted = status.condition(ConditionType.ACCEPTED)
    assert accepted is not None
    assert (status.planned_trainings, accepted.status, accepted.reason) == (10_005, "True", "ValidWithWarnings")
    assert "10,005 trainings are planned (2,001 trials x 5 folds)" in accepted.message


def test_a_usual_study_is_not_warned_of() -> None:
    assert warnings_of_cost(spec(maxTrials=10_000)) == []
