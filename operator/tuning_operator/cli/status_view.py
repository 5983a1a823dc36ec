"""What `tuning status` shows. Pure: a study's status in, a renderable out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from tuning_operator.api.status import BestTrial, Condition, ConditionType, RecentTrial, StudyStatus
from tuning_operator.cli.formats import plural, seconds_text, value_text
from tuning_operator.cli.front_view import front_line, front_rows, none_is_feasible
from tuning_operator.cli.live_view import Best, RunPicture, best_text, head
from tuning_operator.cli.study_reader import StudyFacts
from tuning_operator.cli.tables import Shown, pairs_table, trials_table
from tuning_operator.cli.theme import CONDITION_STYLES, FAINT, NONE_FEASIBLE
from tuning_operator.cli.trial_rows import TrialRow


def status_view(facts: StudyFacts, status: StudyStatus, now: float, width: int) -> RenderableType:
    """Return the whole status; `now` is in seconds since 1970."""
    picture = status_picture(facts, status, now)
    parts: list[RenderableType] = [*head(picture, width), best_text(picture)]
    conditions = [part for each in status.conditions if _is_telling(each) for part in _condition(each, now)]
    if conditions:
        parts += [Text(), *conditions]
    details = {name: Text(what) for name, what in _details(facts, status)}
    if details:
        parts += [Text(), pairs_table(details)]
    if status.front and facts.aims.are_several:
        shown = Shown(facts.metric, facts.parameters, width, further=facts.aims.further, notes=True)
        more = "" if status.front_size == len(status.front) else f", {len(status.front)} of {status.front_size}"
        heading = "nearest to the bounds" if none_is_feasible(status.front) else "front"
        parts += [Text(), Text(f"{heading}{more}", style=FAINT), trials_table(front_rows(status, facts.aims), shown)]
    if status.recent:
        best, front = picture.marked
        shown = Shown(
            facts.metric, facts.parameters, width, best=best, front=front, further=facts.aims.further, notes=True
        )
        rows = [_row(trial) for trial in status.recent]
        parts += [Text(), Text("ended last", style=FAINT), trials_table(rows, shown)]
    return Group(*parts)


def status_line(facts: StudyFacts, status: StudyStatus) -> str:
    """Return the status on one line, for logs and pipes."""
    best = "no best trial yet"
    if status.best or status.front:
        best = front_line(status) if status.best is None else best_line_of(status.best)
    running = f"{status.trials.running} running"
    return "  ".join([facts.name, status.phase.value, status.progress or "0", running, best])


def best_line_of(best: BestTrial) -> str:
    """Return the best trial on one line."""
    value = f"{value_text(best.value)} (trial {best.number})"
    return f"{NONE_FEASIBLE} {value}" if best.infeasible else f"best {value}"


def status_picture(facts: StudyFacts, status: StudyStatus, now: float) -> RunPicture:
    """Return how far a study is."""
    counts, best = status.trials, status.best
    return RunPicture(
        study=facts.name,
        metric=facts.metric,
        direction=facts.direction,
        parameters=facts.parameters,
        max_trials=facts.max_trials,
        phase=status.phase,
        complete=counts.complete,
        pruned=counts.pruned,
        failed=counts.failed,
        running=counts.running,
        seconds=_elapsed(status, now),
        best=None if best is None else Best(best.number, best.value, best.parameters),
        aims=facts.aims,
        front=frozenset(trial.number for trial in status.front),
        is_feasible=not (none_is_feasible(status.front) if best is None else best.infeasible),
        found=front_line(status) if status.front else "",
    )


def _elapsed(status: StudyStatus, now: float) -> float:
    if status.start_time is None:
        return 0.0
    end = now if status.completion_time is None else _seconds(status.completion_time)
    return max(0.0, end - _seconds(status.start_time))


def _is_telling(condition: Condition) -> bool:
    """Whether a condition says more than that all is as it should be, and more than the head of the view."""
    if condition.type is ConditionType.ACCEPTED:
        return condition.status != "True" or condition.reason != "Valid"
    return condition.status == "True" and condition.reason != "TrialsRunning"


def _condition(condition: Condition, now: float) -> Iterator[RenderableType]:
    holds = condition.status == "True"
    name = condition.type.value if holds else f"Not{condition.type.value}"
    since = seconds_text(max(0.0, now - _seconds(condition.last_transition_time)))
    yield Text.assemble(
        (f"● {name}", CONDITION_STYLES[condition.type] if holds else "red"),
        f"  {condition.reason}",
        (f"  for {since}", FAINT),
    )
    if condition.message:
        yield Padding(Text(condition.message), (0, 0, 0, 2))


def _details(facts: StudyFacts, status: StudyStatus) -> Iterator[tuple[str, str]]:
    counts, usage = status.trials, status.usage
    if facts.place:
        yield "where", facts.place
    if status.start_time is not None and status.completion_time is None:
        others = {"pending": counts.pending, "waiting": counts.waiting}
        words = [f"{counts.running} of {facts.parallelism} in parallel"]
        yield "running", ", ".join(words + [f"{count} {what}" for what, count in others.items() if count])
    if usage.trial_hours:
        gpus = [f"{usage.gpu_hours:.4g} GPU hours"] if usage.gpu_hours else []
        yield "used", ", ".join([*gpus, f"{usage.trial_hours:.4g} trial hours"])
    if status.planned_trainings:
        yield "planned", plural(status.planned_trainings, "training")
    if status.start_time is not None:
        yield "started", _local_time(status.start_time)
    if status.completion_time is not None:
        yield "ended", _local_time(status.completion_time)


def _row(trial: RecentTrial) -> TrialRow:
    return TrialRow(
        number=trial.number,
        state=trial.state.upper(),
        parameters=trial.parameters,
        value=trial.value,
        further=trial.values,
        seconds=_duration(trial.duration),
        reason=trial.reason,
        message=trial.message,
    )


def _duration(text: str) -> float | None:
    """Return the seconds of a trial; unlike a spec's durations it may have tenths, and be none."""
    parts = re.fullmatch(r"(?:(\d{1,9})h)?(?:(\d{1,2})m)?(?:(\d{1,2}(?:\.\d)?)s)?", text)
    if parts is None or not text:
        return None
    hours, minutes, seconds = (float(part or 0) for part in parts.groups())
    return 3600 * hours + 60 * minutes + seconds


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()


def _local_time(timestamp: str) -> str:
    return datetime.fromisoformat(timestamp).astimezone().strftime("%Y-%m-%d %H:%M:%S")
