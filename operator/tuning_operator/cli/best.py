"""`tuning best`: the best trial of a study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from tuning_operator.cli.options import (
    ContextOption,
    NamespaceOption,
    Output,
    OutputOption,
    ServiceOption,
    StudyArgument,
)

if TYPE_CHECKING:
    from tuning_operator.cli.study_reader import BestFound, FrontFound, StudyFacts


def best(
    study: StudyArgument,
    output: OutputOption = Output.TABLE,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    operator_service: ServiceOption = None,
) -> None:
    """Show the best trial of a study and its parameters; of several objectives, the trials on the front."""
    from tuning_operator.cli.open_reader import open_reader

    reader = open_reader(study, namespace, context, operator_service)
    facts = reader.facts()
    if facts.aims.are_several:
        _show_front(reader.front(), facts, output)
    else:
        _show_best(reader.best(), facts, output)


def _show_front(found: FrontFound, facts: StudyFacts, output: Output) -> None:
    from tuning_operator.cli.console import document_text, out
    from tuning_operator.cli.front_view import front_document, front_view

    if not found.size:
        raise _nothing_found(facts)
    if output is Output.TABLE:
        out().print(front_view(found, facts, out().width))
    else:
        typer.echo(document_text(front_document(found, facts), output), nl=False)


def _show_best(found: BestFound | None, facts: StudyFacts, output: Output) -> None:
    from tuning_operator.cli.console import document_text, out
    from tuning_operator.cli.result_view import best_view

    if found is None:
        raise _nothing_found(facts)
    if output is Output.TABLE:
        out().print(best_view(found, facts))
        return
    document = {
        "study": facts.name,
        "metric": facts.metric,
        "number": found.number,
        "value": found.value,
        "values": dict(found.values),
        "infeasible": found.infeasible,
        "std": found.std,
        "parameters": dict(found.parameters),
        "job": found.job,
        "log": found.log,
    }
    typer.echo(document_text(document, output), nl=False)


def _nothing_found(facts: StudyFacts) -> Exception:
    from tuning_operator.errors import NotFound

    return NotFound(f"no trial of the study {facts.name} is complete yet")
