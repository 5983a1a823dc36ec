"""Studies and reports for tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuning_contract import FinalState, Report, ReportBatch, TrialEnd
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.decisions.trials import NOTHING_SAID, EndState, LastWords
from tuning_operator.ports import Outcome, TrialRepository

KEY = StudyKey("default", "digits", "5f2b7c1e-0000-4000-8000-000000000001")

METRIC = "accuracy"

PARAMETERS: tuple[Mapping[str, Any], ...] = (
    {"name": "rate", "type": "Float", "low": 1e-5, "high": 1e-1, "scale": "Log"},
    {"name": "units", "type": "Int", "low": 16, "high": 64, "step": 16},
    {"name": "optimizer", "type": "Categorical", "choices": ["adam", "sgd"]},
    {"name": "epochs", "type": "Fixed", "value": 5},
)


def study_spec(
    parameters: tuple[Mapping[str, Any], ...] = PARAMETERS,
    search: Mapping[str, Any] | None = None,
    **objective: Any,
) -> StudySpec:
    """Return the spec of a study that maximizes `METRIC`, unless `objective` says otherwise."""
    return StudySpec.model_validate(
        {
            "objectives": [{"metric": METRIC, "direction": "Maximize", **objective}],
            "parameters": [dict(parameter) for parameter in parameters],
            "search": {"seed": 7, "sampler": {"name": "Random"}, **(search or {})},
            "maxTrials": 1000,
            "trial": {"template": {"spec": {"containers": [{"name": "trainer", "image": "trainer"}]}}},
        }
    )


def pruning() -> dict[str, Any]:
    """Return the search of a study that prunes by the median from the first finished trial on."""
    return {"pruner": {"name": "Median", "options": {"nStartupTrials": 1}}}


def batch(*values: tuple[int, float], end: FinalState | None = None, message: str = "") -> ReportBatch:
    """Return a batch that reports the objective as (step, value)."""
    return ReportBatch(
        tuple(Report(step, {METRIC: value}) for step, value in values),
        None if end is None else TrialEnd(end, message),
    )


def outcome(
    number: int, value: float | None = 0.5, state: EndState = EndState.COMPLETE, after: LastWords = NOTHING_SAID
) -> Outcome:
    """Return how a trial ended; `after` is what whoever says so knew of it."""
    return Outcome(number, state, value, reason="Finished", message="it ended", running_seconds=2.5, after=after)


def last_words(study: TrialRepository, number: int) -> LastWords:
    """Return what was said so far of an open trial."""
    return next((trial.last_words for trial in study.history().open if trial.number == number), NOTHING_SAID)
