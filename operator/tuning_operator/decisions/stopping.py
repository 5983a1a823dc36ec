"""Whether a study has come to its end, by which rule. All rules only ever turn from no to yes, whatever still runs."""

from __future__ import annotations

from dataclasses import dataclass

from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.best_trial import reaches_goal
from tuning_operator.decisions.snapshot import History


@dataclass(frozen=True)
class Verdict:
    """Why no further trial is asked for."""

    failed: bool
    """Whether the study ends as Failed instead of Complete."""
    early: bool
    """Whether the rule ends the study before all its trials: `stopping.onEnd` says what becomes of running ones."""
    reason: str
    message: str


def verdict_of(spec: StudySpec, history: History) -> Verdict | None:
    """Return the first rule that holds."""
    for rule in (_goal_reached, _too_many_failed, _too_many_failed_in_a_row, _all_asked, _exhausted):
        verdict = rule(spec, history)
        if verdict is not None:
            return verdict
    return None


def _goal_reached(spec: StudySpec, history: History) -> Verdict | None:
    best, objective = history.best, spec.objective
    if best is None or not reaches_goal(best.value, objective):
        return None
    message = f"trial {best.number} reached {objective.metric} {best.value:g}; the goal was {objective.goal:g}"
    return Verdict(failed=False, early=True, reason="GoalReached", message=message)


def _too_many_failed(spec: StudySpec, history: History) -> Verdict | None:
    rule = spec.stopping.failed_trials
    if rule is None or rule.total is None or history.failed < rule.total:
        return None
    message = f"{history.failed} trials failed; stopping.failedTrials.total is {rule.total}"
    return Verdict(failed=True, early=True, reason="TooManyFailedTrials", message=_with_last_failure(message, history))


def _too_many_failed_in_a_row(spec: StudySpec, history: History) -> Verdict | None:
    rule = spec.stopping.failed_trials
    if rule is None or rule.consecutive is None or history.longest_failed_streak < rule.consecutive:
        return None
    message = (
        f"{history.longest_failed_streak} trials failed one after the other; "
        f"stopping.failedTrials.consecutive is {rule.consecutive}"
    )
    return Verdict(failed=True, early=True, reason="TooManyFailedTrials", message=_with_last_failure(message, history))


def _all_asked(spec: StudySpec, history: History) -> Verdict | None:
    if history.total < spec.max_trials:
        return None
    return _ended(history, "MaxTrialsReached", f"all {history.total} trials have been started")


def _exhausted(spec: StudySpec, history: History) -> Verdict | None:
    if not history.exhausted:
        return None
    name = spec.search.sampler.name.value
    return _ended(history, "Exhausted", f"{name} has no point left after {history.total} trials")


def _ended(history: History, reason: str, message: str) -> Verdict:
    if history.complete == 0 and not history.open:
        message = _with_last_failure(f"{message}, and none is complete", history)
        return Verdict(failed=True, early=False, reason="NoCompleteTrial", message=message)
    return Verdict(failed=False, early=False, reason=reason, message=message)


def _with_last_failure(message: str, history: History) -> str:
    last = next((trial for trial in history.recent if trial.state == "Failed"), None)
    if last is None:
        return message
    return f"{message}. Trial {last.number} failed with {last.reason}{': ' + last.message if last.message else ''}"
