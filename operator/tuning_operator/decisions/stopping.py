"""Whether a study has come to its end, by which rule. All rules only ever turn from no to yes, whatever still runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tuning_operator.api.durations import seconds_of
from tuning_operator.api.stopping import Suspension
from tuning_operator.api.study import Direction, Objective, StudySpec
from tuning_operator.decisions.best_trial import reaches_goal
from tuning_operator.decisions.feasibility import why_infeasible
from tuning_operator.decisions.history import History, InOrder
from tuning_operator.decisions.parallelism import most_trials
from tuning_operator.decisions.trial_value import known_values, objective_values
from tuning_operator.decisions.trials import FinishedTrial
from tuning_operator.decisions.usage import Usage


@dataclass(frozen=True)
class Verdict:
    """Why no further trial is asked for."""

    failed: bool
    """Whether the study ends as Failed instead of Complete."""
    early: bool
    """Whether the rule ends the study before all its trials: `mode` says what becomes of running ones."""
    reason: str
    message: str
    mode: Suspension | None = None
    """What becomes of trials that have not ended; None: they go on, retries included."""


def verdict_of(spec: StudySpec, history: History, usage: Usage) -> Verdict | None:
    """Return the first rule that holds."""
    if history.in_order is not None:
        early = _stopped(spec) or _stopped_in_order(spec, history, history.in_order) or _budget_used(spec, usage)
    else:
        early = _stopped(spec) or _goal_reached(spec, history) or _too_many_failed(spec, history)
        early = early or _budget_used(spec, usage) or _plateau(spec, history)
    return early or _exhausted(spec, history) or _all_asked(spec, history) or _infeasible(history)


def looks_at_results(spec: StudySpec) -> bool:
    """Return whether there is a rule on what trials come to."""
    stopping, has_goal = spec.stopping, any(objective.goal is not None for objective in spec.objectives)
    return has_goal or stopping.failed_trials is not None or stopping.plateau is not None


def rule_on_results(spec: StudySpec, history: History) -> Verdict | None:
    """Return the first rule that holds for what trials came to."""
    return _goal_reached(spec, history) or _too_many_failed(spec, history) or _plateau(spec, history)


def _stopped_in_order(spec: StudySpec, history: History, in_order: InOrder) -> Verdict | None:
    """In a deterministic study the trials that may start without the result that ends it are tried whenever it came."""
    verdict = None if in_order.stop is None else rule_on_results(spec, in_order.counted)
    if verdict is None or verdict.mode is Suspension.TERMINATE:
        return verdict
    if history.total < most_trials(spec, history) and not history.exhausted:
        return None
    return replace(verdict, mode=None)


def _early(spec: StudySpec, reason: str, message: str, *, failed: bool = False) -> Verdict:
    return Verdict(failed=failed, early=True, reason=reason, message=message, mode=spec.stopping.on_end)


def _stopped(spec: StudySpec) -> Verdict | None:
    now = spec.stopping.now
    if now is None:
        return None
    message = f"`stopping.now` is {now.value}; remove it and the study goes on"
    return Verdict(failed=False, early=True, reason="StoppedByUser", message=message, mode=now)


def _goal_reached(spec: StudySpec, history: History) -> Verdict | None:
    goals = [objective for objective in spec.objectives if objective.goal is not None]
    trial = (
        next((trial for trial in _candidates(history, spec) if _reaches(trial, goals, spec)), None) if goals else None
    )
    if trial is None:
        return None
    values = objective_values(trial, spec.objectives)
    reached = " and ".join(f"{goal.metric} {values[goal.metric]:g}" for goal in goals)
    wanted = " and ".join(f"{goal.goal:g}" for goal in goals)
    message = f"trial {trial.number} reached {reached}; the goal{'s were' if len(goals) > 1 else ' was'} {wanted}"
    return _early(spec, "GoalReached", message)


def _candidates(history: History, spec: StudySpec) -> Iterable[FinishedTrial]:
    """Return the trials of which one reaches all goals if any does; those that violate a constraint reach none."""
    if len(spec.objectives) > 1:
        return (member.trial for member in history.front.members) if history.front.is_feasible else ()
    best = history.best
    return (
        () if best is None or why_infeasible(known_values(best, spec.objectives), spec.metric_constraints) else (best,)
    )


def _reaches(trial: FinishedTrial, goals: Sequence[Objective], spec: StudySpec) -> bool:
    values = objective_values(trial, spec.objectives)
    return all(reaches_goal(values.get(objective.metric), objective) for objective in goals)


def _too_many_failed(spec: StudySpec, history: History) -> Verdict | None:
    rule, failures, streak = spec.stopping.failed_trials, history.charged_failures, history.longest_failed_streak
    if rule is None:
        return None
    if rule.total is not None and failures >= rule.total:
        message = f"{failures} trials failed; stopping.failedTrials.total is {rule.total}"
    elif rule.consecutive is not None and streak >= rule.consecutive:
        message = f"{streak} trials failed one after the other; stopping.failedTrials.consecutive is {rule.consecutive}"
    else:
        return None
    return _early(spec, "TooManyFailedTrials", _with_last_failure(message, history), failed=True)


def _budget_used(spec: StudySpec, usage: Usage) -> Verdict | None:
    duration, gpu_hours = spec.stopping.duration, spec.stopping.gpu_hours
    if duration is not None and usage.active_seconds >= seconds_of(duration):
        return _early(spec, "DurationReached", f"the study has been active for {duration}, its stopping.duration")
    used = usage.gpu_seconds / 3600
    if gpu_hours is not None and used >= gpu_hours:
        return _early(spec, "GpuHoursReached", f"{used:.4g} GPU hours are used; stopping.gpuHours is {gpu_hours:g}")
    return None


def _plateau(spec: StudySpec, history: History) -> Verdict | None:
    rule = spec.stopping.plateau
    if rule is None or longest_plateau(history, spec, float(rule.min_improvement)) < rule.trials:
        return None
    several = len(spec.objectives) > 1
    what = (
        f"did not add {rule.min_improvement:.3%} to the hypervolume"
        if several
        else (f"were not better by {rule.min_improvement:g}")
    )
    than = "" if several else " than the best before them"
    message = f"{rule.trials} trials one after the other {what} (stopping.plateau.minImprovement){than}"
    return _early(spec, "Plateau", message)


def longest_plateau(history: History, spec: StudySpec, min_improvement: float) -> int:
    """Return the most judged trials one after the other, none of which was better by `min_improvement` than the best
    before them; it only grows, so that trials that are still running can't undo the end that it brought."""
    several = len(spec.objectives) > 1  # then what improves is the hypervolume, and by a share of itself
    sign = 1 if several or spec.objective.direction is Direction.MAXIMIZE else -1
    longest, best, best_at = 0, None, 0
    for judged, value in history.improvements:
        if best is not None:
            if sign * (value - best) < (min_improvement * best if several else min_improvement):
                continue
            longest = max(longest, judged - 1 - best_at)
        best, best_at = value, judged
    return longest if best is None else max(longest, history.complete + history.pruned - best_at)


def _all_asked(spec: StudySpec, history: History) -> Verdict | None:
    if history.total < spec.max_trials:
        return None
    return _ended(history, "MaxTrialsReached", f"all {history.total} trials have been started")


def _infeasible(history: History) -> Verdict | None:
    if not history.exhausted:
        return None
    message = f"{history.infeasible}{' in a new study' if history.total else ''}"
    failed = history.complete == 0 and not history.open
    return Verdict(failed=failed, early=False, reason="NoFeasiblePoint", message=message)


def _exhausted(spec: StudySpec, history: History) -> Verdict | None:
    """Said rather than that there were `maxTrials`: more of them would change nothing."""
    if not history.exhausted or history.infeasible:
        return None
    sampler = spec.search.sampler.name
    end = "has come to its end" if sampler.is_strategy else "has no point left"
    return _ended(history, "Exhausted", f"{sampler.value} {end} after {history.total} trials")


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
