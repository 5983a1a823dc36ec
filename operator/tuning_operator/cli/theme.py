"""Colours and signs, the same everywhere."""

from __future__ import annotations

from rich.text import Text

from tuning_operator.api.status import ConditionType, Phase
from tuning_operator.cli.trial_rows import COMPLETE, FAILED, PRUNED, RUNNING, WAITING

STATE_STYLES = {COMPLETE: "green", PRUNED: "yellow", FAILED: "red", RUNNING: "cyan", WAITING: "bright_black"}
STATE_SIGNS = {COMPLETE: "✔", PRUNED: "✂", FAILED: "✘", RUNNING: "▶", WAITING: "◌"}
PHASE_STYLES = {
    Phase.PENDING: "bright_black",
    Phase.RUNNING: "cyan",
    Phase.SUSPENDED: "yellow",
    Phase.STOPPING: "yellow",
    Phase.COMPLETE: "green",
    Phase.FAILED: "red",
    Phase.REFUSED: "red",
}
CONDITION_STYLES = {
    ConditionType.ACCEPTED: "yellow",
    ConditionType.RUNNING: "cyan",
    ConditionType.SUSPENDED: "yellow",
    ConditionType.COMPLETE: "green",
    ConditionType.FAILED: "red",
    ConditionType.DEGRADED: "red",
}
"""Of conditions that hold; an accepted study is worth a line only where the API server warned."""
BEST = "bold green"
INFEASIBLE = "yellow"
NONE_FEASIBLE = "no trial keeps all bounds; least beyond them:"
"""Said before what is found, while that is so."""
FAINT = "bright_black"
BAR = "cyan"


def state_text(state: str) -> Text:
    """Return a trial's state with its sign."""
    return Text(f"{STATE_SIGNS.get(state, '?')} {state.lower()}", style=STATE_STYLES.get(state, ""))


def none_feasible_text() -> Text:
    """Return the beginning of a line about what is found while no trial keeps the bounds of metrics."""
    return Text(f"☆ {NONE_FEASIBLE}", style=INFEASIBLE)


def phase_text(phase: Phase) -> Text:
    """Return a study's phase as a coloured word."""
    return Text(f"● {phase.value}", style=PHASE_STYLES[phase])
