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
    from tuning_operator.cli.study_reader import BestFound, StudyFacts


def best(
    study: StudyArgument,
    output: OutputOption = Output.TABLE,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    operator_service: ServiceOption = None,
) -> None:
    """Show the best trial of a study and its parameters."""
    from tuning_operator.cli.console import document_text
    from tuning_operator.cli.open_reader import open_reader
    from tuning_operator.errors import NotFound

    reader = open_reader(study, namespace, context, operator_service)
    found, facts = reader.best(), reader.facts()
    if found is None:
        raise NotFound(f"no trial of the study {facts.name} is complete yet")
    if output is Output.TABLE:
        _print(found, facts)
        return
    document = {
        "study": facts.name,
        "metric": facts.metric,
        "number": found.number,
        "value": found.value,
        "parameters": dict(found.parameters),
        "job": found.job,
        "log": found.log,
    }
    typer.echo(document_text(document, output), nl=False)


def _print(found: BestFound, facts: StudyFacts) -> None:
    from tuning_operator.cli.console import out
    from tuning_operator.cli.result_view import best_view

    out().print(best_view(found, facts))
