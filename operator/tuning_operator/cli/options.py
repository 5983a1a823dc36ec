"""Arguments and options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Output(StrEnum):
    """How a command prints what it found."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", show_default=False, help="A file with a TuningStudy, as for kubectl.")
]
StudyArgument = Annotated[
    str,
    typer.Argument(
        metavar="STUDY",
        show_default=False,
        help="A file (.yaml, .yml, .json) means the study that was run here with `tuning run`, a name means the "
        "cluster's.",
    ),
]
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="How to print it.")]
NamespaceOption = Annotated[
    str | None,
    typer.Option(
        "--namespace", "-n", metavar="NAME", show_default="the kubeconfig's", help="Namespace of a cluster's study."
    ),
]
ContextOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", show_default="the current one", help="Context of the kubeconfig."),
]
ServiceOption = Annotated[
    str | None,
    typer.Option(
        "--operator-service",
        metavar="NAMESPACE/NAME",
        envvar="TUNING_SERVICE",
        show_default="the one with the chart's labels",
        help="The operator's Service, through which a cluster's trials are read; NAMESPACE/https:NAME where it has a "
        "certificate.",
    ),
]
TerminateOption = Annotated[
    bool, typer.Option("--terminate", help="Delete running pods instead of letting them finish.")
]
