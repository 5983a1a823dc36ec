"""`tuning resume`: a study goes on."""

from __future__ import annotations

import typer

from tuning_operator.cli.options import ContextOption, NamespaceOption, StudyArgument


def resume(study: StudyArgument, namespace: NamespaceOption = None, context: ContextOption = None) -> None:
    """Let a study go on that was suspended or stopped."""
    from tuning_operator.cli.steering import steer
    from tuning_operator.cli.study_changes import resuming

    steer("resume", study, namespace, context, resuming)
    typer.echo(f"the study {study} goes on")
