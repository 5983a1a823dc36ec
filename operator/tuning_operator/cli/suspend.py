"""`tuning suspend`: a study pauses."""

from __future__ import annotations

import typer

from tuning_operator.cli.options import ContextOption, NamespaceOption, StudyArgument, TerminateOption


def suspend(
    study: StudyArgument,
    terminate: TerminateOption = False,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
) -> None:
    """Pause a study: no trial is started until it is resumed.

    Trials that wait for a pod give it up at once, and go on under their numbers later. With --terminate the running
    ones do so too.
    """
    from functools import partial

    from tuning_operator.api.study import Suspension
    from tuning_operator.cli.steering import steer
    from tuning_operator.cli.study_changes import suspending

    mode = Suspension.TERMINATE if terminate else Suspension.DRAIN
    steer("suspend", study, namespace, context, partial(suspending, mode=mode))
    what = "the running trials are stopped and go on later" if terminate else "the running trials finish"
    typer.echo(f"the study {study} is suspended: {what}; `tuning resume {study}` lets it go on")
