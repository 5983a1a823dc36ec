"""`tuning status`: how a study is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuning_operator.cli.options import ContextOption, NamespaceOption, Output, OutputOption, StudyArgument

if TYPE_CHECKING:
    from tuning_operator.api.status import StudyStatus
    from tuning_operator.cli.study_reader import StudyFacts


def status(
    study: StudyArgument,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow the study until it has ended.")] = False,
    output: OutputOption = Output.TABLE,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
) -> None:
    """Show how far a study is, what it has found, and what is wrong with it.

    With --watch the exit status is 0 when the study is complete, and 1 when it failed.
    """
    from tuning_operator.cli.open_reader import open_reader
    from tuning_operator.cli.status_watch import watch_status
    from tuning_operator.cli.study_reader import readable_facts

    reader = open_reader(study, namespace, context, None)
    if watch:
        raise typer.Exit(watch_status(reader, study, output))
    shown = reader.status()
    facts = readable_facts(reader, study)
    if output is Output.TABLE:
        _print(facts, shown)
    else:
        typer.echo(status_text(facts, shown, output), nl=False)


def status_text(facts: StudyFacts, status: StudyStatus, output: Output) -> str:
    """Return a status as JSON or YAML, without the token that opens the study's trials."""
    from tuning_operator.cli.console import document_text

    document: dict[str, Any] = {"study": facts.name, "where": facts.place, **status.to_document()}
    document.pop("readToken", None)
    return document_text(document, output)


def _print(facts: StudyFacts, status: StudyStatus) -> None:
    from tuning_operator.cli.console import out
    from tuning_operator.cli.status_view import status_view

    console = out()
    console.print(status_view(facts, status, time.time(), console.width))
