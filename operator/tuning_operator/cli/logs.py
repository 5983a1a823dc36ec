"""`tuning logs`: what a trial's training printed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tuning_operator.cli.options import ContextOption, NamespaceOption, StudyArgument


def logs(
    study: StudyArgument,
    trial: Annotated[int, typer.Argument(metavar="TRIAL", min=0, show_default=False, help="The trial's number.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the trial's process ends.")] = False,
    run: Annotated[int, typer.Option(min=0, help="Which repeat or fold of the trial.")] = 0,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
) -> None:
    """Print the log of a trial's newest attempt."""
    from tuning_operator.cli.open_reader import is_file

    try:
        if is_file(study):
            _copy_local(Path(study), trial, run, follow)
        else:
            _copy_clusters(study, (trial, run), follow, namespace, context)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _copy_local(file: Path, trial: int, run: int, follow: bool) -> None:
    from tuning_operator.cli.local_log import copy_local_log
    from tuning_operator.cli.local_reader import LocalReader

    reader = LocalReader.of_file(file)
    copy_local_log(reader.log(trial, run).file, _write, lambda: not follow or reader.log(trial, run).is_whole)


def _copy_clusters(study: str, run: tuple[int, int], follow: bool, namespace: str | None, context: str | None) -> None:
    from tuning_operator.cli.cluster_log import copy_cluster_log
    from tuning_operator.cli.cluster_study import ClusterStudy
    from tuning_operator.cluster.client import ClusterClient

    found = ClusterStudy.of_context(study, namespace, context)

    async def copy(client: ClusterClient) -> None:
        await copy_cluster_log(client, await found.get(client), *run, _write, follow=follow)

    found.with_client(copy)


def _write(piece: bytes) -> None:
    sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
