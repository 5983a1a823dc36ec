"""Follows a study: a picture that changes in place on a terminal, a line for each change elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator

import typer
from rich.console import Console
from rich.live import Live

from tuning_operator.api.status import ConditionType, StudyStatus
from tuning_operator.cli.console import err, out
from tuning_operator.cli.options import Output
from tuning_operator.cli.status import status_text
from tuning_operator.cli.status_view import status_line, status_view
from tuning_operator.cli.study_reader import StudyFacts, StudyReader, readable_facts
from tuning_operator.errors import Unavailable

SECONDS = 2.0
"""Between two looks; the operator writes counters every ten seconds, and transitions at once."""


def watch_status(reader: StudyReader, name: str, output: Output) -> int:
    """Follow a study until it has ended or somebody presses Ctrl-C; return the exit status."""
    console = out()
    try:
        if output is Output.TABLE and console.is_terminal:
            last = _draw(reader, name, console)
        else:
            last = _print_changes(reader, name, output)
    except KeyboardInterrupt:
        return 130
    return 1 if last.is_true(ConditionType.FAILED) else 0


def _draw(reader: StudyReader, name: str, console: Console) -> StudyStatus:
    with Live(console=console, auto_refresh=False) as live:
        for status in _statuses(reader):
            view = status_view(readable_facts(reader, name), status, time.time(), console.width)
            live.update(view, refresh=True)
    return status


def _print_changes(reader: StudyReader, name: str, output: Output) -> StudyStatus:
    said = ""
    for status in _statuses(reader):
        text = _text(readable_facts(reader, name), status, output)
        if text != said:
            typer.echo(text, nl=False)
        said = text
    return status


def _text(facts: StudyFacts, status: StudyStatus, output: Output) -> str:
    return status_line(facts, status) + "\n" if output is Output.TABLE else status_text(facts, status, output)


def _statuses(reader: StudyReader) -> Iterator[StudyStatus]:
    """Yield the status now and then; the last one is that of a study that has ended."""
    status = reader.status()
    while True:
        yield status
        if status.is_true(ConditionType.COMPLETE) or status.is_true(ConditionType.FAILED):
            return
        time.sleep(SECONDS)
        try:
            status = reader.status()
        except Unavailable as error:  # what was seen last stays; the next look may succeed
            err().print(f"{error}; it is tried again", style="yellow")
