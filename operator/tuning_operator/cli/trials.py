"""`tuning trials`: all trials of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

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
    from tuning_operator.cli.study_reader import StudyFacts


def trials(
    study: StudyArgument,
    output: OutputOption = Output.TABLE,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    operator_service: ServiceOption = None,
) -> None:
    """List all trials of a study."""
    from tuning_operator.cli.console import document_text
    from tuning_operator.cli.open_reader import open_reader

    reader = open_reader(study, namespace, context, operator_service)
    documents = reader.trials()
    if output is Output.TABLE:
        _print_table(documents, reader.facts())
    else:
        typer.echo(document_text(list(documents), output), nl=False)


def _print_table(documents: Sequence[Mapping[str, Any]], facts: StudyFacts) -> None:
    from tuning_operator.cli.console import out
    from tuning_operator.cli.ranking import best_first
    from tuning_operator.cli.tables import Shown, marks, trials_table
    from tuning_operator.cli.trial_rows import trial_row

    console = out()
    rows = [trial_row(document) for document in documents]
    shown = Shown(facts.metric, facts.parameters, console.width, further=facts.aims.further, notes=True)
    console.print(trials_table(rows, marks(shown, best_first(rows, facts.aims), facts.aims)))
