"""The status is bounded: a summary is cut, never refused."""

from __future__ import annotations

import json
import math

import pytest

from tuning_operator.api.status import (
    MAX_RECENT,
    BestTrial,
    Condition,
    ConditionType,
    RecentTrial,
    StudyStatus,
    read_status,
)


def test_long_texts_are_cut() -> None:
    trial = RecentTrial(
        number=1, state="Failed", parameters={}, message="x" * 100_000, reason="y" * 1000, job="z" * 300
    )
    assert (len(trial.message), len(trial.reason), len(trial.job)) == (1024, 256, 256)
    assert trial.message.endswith("x…")


def test_a_value_that_json_cannot_hold_is_left_out() -> None:
    for value in (math.nan, math.inf, -math.inf):
        document = RecentTrial(number=1, state="Failed", value=value, parameters={}).to_document()
        assert "value" not in document


def test_the_largest_status_fits_the_store() -> None:
    parameters: dict[str, str | int | float | bool] = {f"{'p' * 60}{number:03}": "ß" * 256 for number in range(200)}
    condition = {
        "status": "True",
        "reason": "r" * 256,
        "message": "m" * 99_999,
        "last_transition_time": "2027-01-15T08:00:00Z",
    }
    status = StudyStatus(
        conditions=[Condition.model_validate({"type": kind, **condition}) for kind in ConditionType],
        best=BestTrial(number=1, value=1.0, parameters=parameters),
        recent=[RecentTrial(number=1, state="Complete", parameters=parameters, message="m" * 9999)] * MAX_RECENT,
    )
    assert len(json.dumps(status.to_document(), ensure_ascii=False).encode()) < 1_500_000


def test_what_is_read_back_is_what_was_written() -> None:
    status = StudyStatus(observed_generation=3, progress="1/2", start_time="2027-01-15T08:00:00Z")
    assert read_status(status.to_document()) == status


@pytest.mark.parametrize("document", [None, {}, {"phase": "Unheard"}, {"conditions": 5}, "text", {"unknown": 1}])
def test_a_status_that_cannot_be_read_counts_as_none(document: object) -> None:
    assert read_status(document) == StudyStatus()


def test_conditions_are_found_by_their_type() -> None:
    condition = Condition(
        type=ConditionType.ACCEPTED, status="False", last_transition_time="2027-01-15T08:00:00Z", reason="Bad"
    )
    status = StudyStatus(conditions=[condition])
    assert status.condition(ConditionType.ACCEPTED) is condition
    assert status.condition(ConditionType.RUNNING) is None
    assert not status.is_true(ConditionType.ACCEPTED)
