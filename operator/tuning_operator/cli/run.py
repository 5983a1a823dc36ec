"""`tuning run`: a study on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from tuning_operator.cli.options import FileArgument, Output, OutputOption


def run(
    file: FileArgument,
    new: Annotated[bool, typer.Option("--new", help="Start a new history instead of resuming the last one.")] = False,
    parallelism: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            show_default="the study's",
            help="Replaces `parallelism`: trials at the same time; at most as many run as there are CPUs. "
            "A `deterministic` study is another one with it.",
        ),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Run a study on this machine, or resume it.

    No cluster is needed. Trials are processes: the container's command, with the Python of this installation first on
    the PATH. The history and the logs are kept in .tuning/ of the current directory. Ctrl-C lets running trials
    finish, a second one stops them.

    The exit status is 0 when the study is complete, 1 when it failed, 2 when the file is invalid, and 130 or 143 when
    the run was stopped by Ctrl-C or SIGTERM.
    """
    import asyncio

    from tuning_operator.api.validation import parse_study
    from tuning_operator.api.yaml_files import load_study

    document = load_study(file)
    parse_study(document)  # a wrong file is told before a second goes into loading the rest

    from tuning_operator.cli.console import document_text, err, out
    from tuning_operator.cli.result_view import result_view
    from tuning_operator.cli.run_screen import LiveScreen, PlainScreen
    from tuning_operator.cli.run_session import RunSession

    console = out() if output is Output.TABLE else err()
    screen = LiveScreen(console) if console.is_terminal else PlainScreen(console)
    session = RunSession(file, document, screen)
    end = asyncio.run(session.run(parallelism, new))
    if output is Output.TABLE:
        console.print(result_view(end.result, console.width))
    else:
        status = end.status.to_document()
        status.pop("readToken", None)  # it opens nothing any more
        typer.echo(document_text(status, output), nl=False)
    raise typer.Exit(end.exit_status)
