"""What is shown of a Pareto front. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from tuning_operator.api.status import FrontTrial, StudyStatus
from tuning_operator.cli.formats import plural, value_text
from tuning_operator.cli.ranking import Aims
from tuning_operator.cli.study_reader import BestFound, FrontFound, StudyFacts
from tuning_operator.cli.tables import Shown, trials_table
from tuning_operator.cli.theme import BEST, FAINT, NONE_FEASIBLE, none_feasible_text
from tuning_operator.cli.trial_rows import COMPLETE, TrialRow


def front_view(found: FrontFound, facts: StudyFacts, width: int) -> RenderableType:
    """Return the trials on the front as a table; their parameters in full are in `-o yaml`."""
    title = _title(found, facts)
    rows = [_row(trial, facts.aims) for trial in found.trials]
    shown = Shown(facts.metric, facts.parameters, width, further=facts.aims.further, notes=True)
    parts: list[RenderableType] = [title, Text(), trials_table(rows, shown)]
    if found.size > len(rows):
        parts.append(Text(f"and {found.size - len(rows)} more, between these", style=FAINT))
    return Group(*parts)


def _title(found: FrontFound, facts: StudyFacts) -> Text:
    if none_is_feasible(found.trials):
        return none_feasible_text()
    metrics = ", ".join(objective.metric for objective in facts.aims.objectives)
    title = Text.assemble(("★ front", BEST), f"  {plural(found.size, 'trial')}")
    if found.size > 1:
        title.append_text(Text.assemble(", none of which is better than another in all of ", (metrics, BEST)))
    return title


def none_is_feasible(front: Sequence[BestFound | FrontTrial]) -> bool:
    """Whether what stands for the front is only nearest to keeping the bounds of metrics; then all of it is."""
    return bool(front) and all(trial.infeasible for trial in front)


def front_document(found: FrontFound, facts: StudyFacts) -> dict[str, Any]:
    """Return the front as JSON."""
    trials = [
        {
            "number": trial.number,
            "values": dict(trial.values),
            "parameters": dict(trial.parameters),
            "infeasible": trial.infeasible,
            "job": trial.job,
            "log": trial.log,
        }
        for trial in found.trials
    ]
    objectives = [objective.to_document() for objective in facts.aims.objectives]
    return {"study": facts.name, "objectives": objectives, "frontSize": found.size, "front": trials}


def front_line(status: StudyStatus) -> str:
    """Return how far several objectives are, on one line."""
    best = ", ".join(f"{each.metric} {value_text(each.best)} (trial {each.number})" for each in status.objectives)
    if none_is_feasible(status.front):
        return f"{NONE_FEASIBLE} {best}"
    volume = "" if status.hypervolume is None else f", hypervolume {status.hypervolume:.4g}"
    return f"front of {status.front_size}{volume}, best {best}"


def front_rows(status: StudyStatus, aims: Aims) -> Sequence[TrialRow]:
    """Return the rows of the trials on the front that a status lists."""
    return [_row(trial, aims) for trial in status.front]


def _row(trial: BestFound | FrontTrial, aims: Aims) -> TrialRow:
    first = aims.objectives[0].metric if aims.objectives else ""
    return TrialRow(
        number=trial.number,
        state=COMPLETE,
        parameters=trial.parameters,
        value=trial.values.get(first),
        further={metric: value for metric, value in trial.values.items() if metric != first},
        message=trial.infeasible,
    )
