"""`tuning stop`: a study, or some of its trials, end now."""

from __future__ import annotations

from typing import Annotated

import typer

from tuning_operator.cli.options import ContextOption, NamespaceOption, StudyArgument, TerminateOption

TrialsArgument = Annotated[
    list[int] | None,
    typer.Argument(metavar="[TRIAL]...", min=0, show_default=False, help="Numbers of trials, to stop these alone."),
]


def stop(
    study: StudyArgument,
    trials: TrialsArgument = None,
    terminate: TerminateOption = False,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
) -> None:
    """End a study now, with what it has found, or some of its trials.

    The study's running trials finish, or are deleted with --terminate. Trials that are stopped one by one are deleted
    and count as pruned; others take their places.
    """
    from functools import partial

    from tuning_operator.api.study import Suspension
    from tuning_operator.cli.steering import steer
    from tuning_operator.cli.study_changes import stopping, stopping_trials

    if trials:
        if terminate:
            raise typer.BadParameter("trials that are stopped one by one are always deleted; leave --terminate out")
        steer("stop", study, namespace, context, partial(stopping_trials, numbers=trials))
        which = "trial" if len(trials) == 1 else "trials"
        typer.echo(f"{which} {', '.join(map(str, trials))} of the study {study} will be stopped")
        return
    mode = Suspension.TERMINATE if terminate else Suspension.DRAIN
    steer("stop", study, namespace, context, partial(stopping, mode=mode))
    what = "the running trials are deleted" if terminate else "the running trials finish"
    typer.echo(f"the study {study} ends: {what}; `tuning resume {study}` lets it go on after all")
