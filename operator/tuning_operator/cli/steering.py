"""From the argument STUDY to who changes it: the API server, or the person at the terminal where it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tuning_operator.cli.open_reader import is_file
from tuning_operator.errors import TuningError


def steer(
    command: str,
    study: str,
    namespace: str | None,
    context: str | None,
    edit: Callable[[Mapping[str, Any]], Mapping[str, Any]],
) -> None:
    """Change a cluster's study; a local one has no object to change.

    Raises
    ------
    TuningError
        The study can't be changed so; the sentence says what to do instead.
    """
    if is_file(study):
        raise TuningError(_what_to_do(command, Path(study)))
    from tuning_operator.cli.cluster_study import ClusterStudy

    ClusterStudy.of_context(study, namespace, context).change(edit)


def _what_to_do(command: str, file: Path) -> str:
    from tuning_operator.api.validation import parse_study
    from tuning_operator.api.yaml_files import load_study
    from tuning_operator.local.places import Places

    name = parse_study(load_study(file)).metadata.name
    process = Places().runner_of(name)
    if process is None:
        return f"the study {name} is not running on this machine; `tuning run {file}` runs it, from where it was left"
    if command == "resume":
        return f"the study {name} is running already (process {process})"
    return (
        f"the study {name} runs in process {process} of this machine: Ctrl-C there, or `kill -INT {process}`, lets its "
        f"trials finish and pauses it, and a second time ends them; `tuning run {file}` goes on with it"
    )
