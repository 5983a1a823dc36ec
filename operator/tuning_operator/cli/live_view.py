"""What is seen while a study runs on this machine. Pure: a picture of the run in, a renderable out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tuning_contract.environment import ParameterValue
from tuning_operator.api.status import Phase
from tuning_operator.api.study import Direction, Objective
from tuning_operator.cli.columns import Names
from tuning_operator.cli.formats import decimals_for, seconds_text, value_text
from tuning_operator.cli.ranking import NO_AIMS, Aims
from tuning_operator.cli.tables import Shown, best_line, trials_table
from tuning_operator.cli.theme import BEST, FAINT, INFEASIBLE, NONE_FEASIBLE, STATE_SIGNS, STATE_STYLES, phase_text
from tuning_operator.cli.trial_rows import COMPLETE, FAILED, PRUNED, RUNNING, TrialRow

HEAD_LINES = 11
"""Lines around the rows of trials, a two-line heading included."""


@dataclass(frozen=True)
class Best:
    """The best trial so far."""

    number: int
    value: float
    parameters: Mapping[str, ParameterValue]


@dataclass(frozen=True)
class RunPicture:
    """A run at one moment."""

    study: str
    metric: str
    direction: Direction
    parameters: Names
    """Names of what is searched."""
    max_trials: int
    phase: Phase
    complete: int
    pruned: int
    failed: int
    running: int
    seconds: float
    """Since this run began."""
    best: Best | None = None
    trials: Sequence[TrialRow] = ()
    """The running ones, then the others, those that ended last first."""
    note: str = ""
    """What needs attention: that the study drains, or what is wrong."""
    aims: Aims = NO_AIMS
    front: Collection[int] = ()
    """Numbers of the trials on the front, where there are several objectives."""
    found: str = ""
    """How far several objectives are, on one line."""
    is_feasible: bool = True
    """Whether the best trial, or the front, keeps the bounds of metrics."""

    @property
    def done(self) -> int:
        """Trials that ended."""
        return self.complete + self.pruned + self.failed

    @property
    def marked(self) -> tuple[int | None, Collection[int]]:
        """The trials to mark in a table: the best one, or those on the front."""
        if not self.is_feasible:
            return None, ()
        return self.best.number if self.best else None, self.front


def live_view(picture: RunPicture, width: int, height: int) -> RenderableType:
    """Return the picture, cut to a terminal's size."""
    best, front = picture.marked
    further = picture.aims.further
    shown = Shown(picture.metric, picture.parameters, width, best=best, front=front, further=further, running=True)
    room = max(1, height - HEAD_LINES - bool(picture.note))
    parts: list[RenderableType] = [Text(), *head(picture, width), best_text(picture)]
    if picture.note:
        parts.append(Text(picture.note, style="yellow", no_wrap=True, overflow="ellipsis"))
    parts.append(Text())
    if picture.trials:
        parts.append(trials_table(picture.trials[:room], shown))
    return Group(*parts)


def head(picture: RunPicture, width: int) -> list[RenderableType]:
    """Return the lines on top: what the study is, and how far."""
    counts = counts_text(picture.complete, picture.pruned, picture.failed, picture.running)
    done = Text(f"{picture.done}/{picture.max_trials} trials")
    return [_title(picture, width), _bar(picture, width), _both_ends(counts, done, width)]


def counts_text(complete: int, pruned: int, failed: int, running: int = 0) -> Text:
    """Return how many trials ended how; what is zero is faint."""
    counts = {COMPLETE: complete, PRUNED: pruned, FAILED: failed}
    if running:
        counts[RUNNING] = running
    text = Text()
    for state, count in counts.items():
        style = STATE_STYLES[state] if count else FAINT
        text.append(f"{STATE_SIGNS[state]} {count} {state.lower()}   ", style=style)
    return text


def _title(picture: RunPicture, width: int) -> Table:
    left = Text.assemble((picture.study, "bold"), "  ", phase_text(picture.phase))
    if picture.metric:
        left.append(f"  {aim_text(picture.aims, picture.direction, picture.metric)}", style=FAINT)
    return _both_ends(left, Text(seconds_text(picture.seconds), style=FAINT), width)


def _bar(picture: RunPicture, width: int) -> Text:
    """A bar of all trials: how those ended that did, what runs, and what is still to come."""
    counts = {COMPLETE: picture.complete, PRUNED: picture.pruned, FAILED: picture.failed, RUNNING: picture.running}
    total = max(picture.max_trials, sum(counts.values()), 1)
    bar, reached = Text(), 0
    for state, count in counts.items():
        reached += count
        end = round(width * reached / total)
        bar.append("━" * (end - len(bar)), style=STATE_STYLES[state])
    bar.append("━" * (width - len(bar)), style="grey23")
    return bar


def aim_text(aims: Aims, direction: Direction, metric: str) -> str:
    """Return what is optimised, on one line."""
    if not aims.objectives:
        return f"{direction.value.lower()} {metric}"
    return ", ".join(map(aim_of, aims.objectives))


def aim_of(objective: Objective) -> str:
    """Return what an objective asks for."""
    goal = "" if objective.goal is None else f" until {objective.goal:g}"
    return f"{objective.direction.value.lower()} {objective.metric}{goal}"


def best_text(picture: RunPicture) -> Text:
    """Return the best trial so far, or how far the front is, on one line."""
    sign, style = ("★", BEST) if picture.is_feasible else ("☆", INFEASIBLE)
    if picture.found:
        return Text(f"{sign} {picture.found}", style=style, no_wrap=True, overflow="ellipsis")
    if picture.best is None:
        return Text("no complete trial yet", style=FAINT)
    best = picture.best
    value = value_text(best.value, decimals_for([best.value]))
    return Text.assemble(
        (f"{sign} {value}" if picture.is_feasible else f"{sign} {NONE_FEASIBLE} {value}", style),
        f"  trial {best.number}   ",
        best_line(best.parameters, picture.parameters),
        no_wrap=True,
        overflow="ellipsis",
    )


def _both_ends(left: Text, right: Text, width: int) -> Table:
    table = Table.grid(expand=False)
    table.width = width
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column(justify="right", no_wrap=True)
    table.add_row(left, right)
    return table
