"""What is printed when a study has ended, and of its best trial. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from tuning_contract.environment import ParameterValue
from tuning_operator.cli.formats import scalar_text
from tuning_operator.cli.live_view import RunPicture, head
from tuning_operator.cli.ranking import best_first
from tuning_operator.cli.study_reader import BestFound, StudyFacts
from tuning_operator.cli.tables import Shown, marks, pairs_table, trials_table
from tuning_operator.cli.theme import BEST, FAINT, INFEASIBLE, none_feasible_text
from tuning_operator.cli.trial_rows import COMPLETE, PRUNED, TrialRow

TOP = 10
"""Trials of the final table."""
FRONT = 20
"""Trials of it with several objectives."""


@dataclass(frozen=True)
class Result:
    """How a run ended."""

    picture: RunPicture
    message: str
    """Why the study ended, or how to go on with it."""
    trials: Sequence[TrialRow]
    best: BestFound | None
    hints: Mapping[str, str]
    """What to do next: a command or a place, and what is seen there."""
    saving: float | None = None
    """Share of the steps that pruning saved; None: nothing was pruned, or it can't be told."""


def result_view(result: Result, width: int) -> RenderableType:
    """Return the whole result."""
    picture = result.picture
    parts: list[RenderableType] = [Text(), *head(picture, width)]
    if result.message:
        parts.append(Text(result.message, style=FAINT))
    if result.saving is not None:
        parts.append(Text(f"pruning saved {result.saving:.0%} of the training steps", style=FAINT))
    found = best_first(result.trials, picture.aims)
    top = found[: FRONT if picture.aims.are_several else TOP]
    if top and picture.aims.are_several and not picture.is_feasible:
        parts += [Text(), none_feasible_text()]
    if top:
        shown = Shown(picture.metric, picture.parameters, width, further=picture.aims.further)
        parts += [Text(), trials_table(top, marks(shown, top, picture.aims))]
        hidden = picture.complete - len(top)
        if hidden > 0:
            parts.append(Text(f"and {hidden} more complete {'trial' if hidden == 1 else 'trials'}", style=FAINT))
    if result.best is not None:
        facts = StudyFacts(picture.study, picture.metric, picture.direction, picture.parameters, picture.max_trials)
        parts += [Text(), best_view(result.best, facts)]
    if result.hints:
        parts += [Text(), pairs_table({name: Text(what, style=FAINT) for name, what in result.hints.items()}, "cyan")]
    return Group(*parts)


def best_view(best: BestFound, facts: StudyFacts) -> RenderableType:
    """Return the best trial with its parameters as YAML, to be copied into `search.enqueue` or a script."""
    value = (f"{facts.metric} {best.value:.6g}", BEST)
    title = Text.assemble(("★ best", BEST), f"  trial {best.number}  ", value, _spread(best))
    if best.infeasible:
        title = Text.assemble(none_feasible_text(), f"  trial {best.number}  ", value, _spread(best))
        title.append(f"  {best.infeasible}", style=INFEASIBLE)
    further = {metric: value for metric, value in best.values.items() if metric != facts.metric}
    if further:
        title.append("\n  " + "  ".join(f"{metric} {value:.6g}" for metric, value in further.items()))
    block = Text("\n".join(f"  {line}" for line in parameter_lines(best.parameters)))
    return Group(title, block, Text(f"  # log: {best.log}", style=FAINT, overflow="fold"))


def _spread(best: BestFound) -> str:
    return "" if best.std is None else f" ±{best.std:.3g} over its runs"


def parameter_lines(parameters: Mapping[str, ParameterValue]) -> list[str]:
    """Return parameters as lines of YAML, with all their digits."""
    return [f"{name}: {scalar_text(value)}" for name, value in parameters.items()]


def saved_share(rows: Sequence[TrialRow], steps: Mapping[int, int]) -> float | None:
    """Return the share of the steps that pruned trials left out of what they and the complete ones would have run.

    `steps` are those that trials trained, by number. None when nothing was pruned, or when the complete trials did not
    all run equally long: nobody knows then how long the pruned ones would have run.
    """
    complete = {steps.get(row.number, 0) for row in rows if row.state == COMPLETE}
    pruned = [steps.get(row.number, 0) for row in rows if row.state == PRUNED]
    if not pruned or len(complete) != 1 or (full := complete.pop()) < 2 or max(pruned) > full:
        return None
    trials = len(pruned) + sum(row.state == COMPLETE for row in rows)
    return sum(full - done for done in pruned) / (full * trials)
