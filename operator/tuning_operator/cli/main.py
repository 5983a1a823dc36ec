"""The entry point of `tuning` and `kubectl-tuning`: the commands, and errors as sentences."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from tuning_operator import __version__
from tuning_operator.cli.best import best
from tuning_operator.cli.logs import logs
from tuning_operator.cli.operator_command import operator
from tuning_operator.cli.preview import preview
from tuning_operator.cli.resume import resume
from tuning_operator.cli.run import run
from tuning_operator.cli.status import status
from tuning_operator.cli.stop import stop
from tuning_operator.cli.suspend import suspend
from tuning_operator.cli.trials import trials
from tuning_operator.errors import InvalidStudy, JobRefused, TuningError

FAILED = 1
INVALID = 2

app = typer.Typer(
    name="tuning",
    help="Tune hyperparameters, on a Kubernetes cluster or on this machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich would double the time of --help
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (run, preview, status, trials, best, logs, suspend, resume, stop, operator):
    app.command()(command)


class _Settings:
    """What holds for the whole call."""

    debug = False


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tuning {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    debug: Annotated[bool, typer.Option("--debug", help="Show the whole stack of an error.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    _Settings.debug = debug


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and end the process with its exit status; errors are sentences on stderr."""
    _Settings.debug = False
    try:
        app(args=arguments)
    except TuningError as error:
        _show_stack()
        sys.exit(_complain(error))
    except BrokenPipeError:
        sys.stderr.close()  # whoever read the output went away: nothing is left to say
        sys.exit(FAILED)
    except Exception as error:  # noqa: BLE001 (a person gets a sentence, whatever it is)
        _show_stack()
        _write(f"unexpected {type(error).__name__}: {error}")
        _write("this is a defect of tuning-operator; please report it with what `tuning --debug …` shows", "")
        sys.exit(FAILED)


def _complain(error: TuningError) -> int:
    """Say what is wrong; return the exit status."""
    from tuning_operator.settings import InvalidSetting

    problems = error.problems if isinstance(error, InvalidStudy) else (str(error),)
    for problem in problems:
        _write(problem)
    return INVALID if isinstance(error, InvalidStudy | InvalidSetting | JobRefused) else FAILED


def _write(sentence: str, label: str = "error: ") -> None:
    typer.echo(typer.style(label, fg=typer.colors.RED, bold=True) + sentence, err=True)


def _show_stack() -> None:
    if _Settings.debug:
        traceback.print_exc()


if __name__ == "__main__":
    main()
