"""`tuning preview`: a study before it is run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuning_operator.cli.options import FileArgument, Output, OutputOption

if TYPE_CHECKING:
    from tuning_operator.api.study import TuningStudy
    from tuning_operator.cli.suggestions import Outlook


def preview(
    file: FileArgument,
    suggestions: Annotated[int, typer.Option(min=0, max=1000, help="How many of the first trials to show.")] = 5,
    job: Annotated[bool, typer.Option("--job", help="Print the Job of the first trial instead, as YAML.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Check a study and show what it would do; nothing is run.

    Shown are the search space, the number of trainings, the sampler and the pruner with all their options, and the
    parameters of the first trials.
    """
    from tuning_operator.api.validation import parse_study
    from tuning_operator.api.yaml_files import load_study
    from tuning_operator.cli.console import document_text, out
    from tuning_operator.cli.preview_view import preview_document, preview_view
    from tuning_operator.cli.suggestions import outlook_of
    from tuning_operator.cli.trial_rows import WAITING, TrialRow

    study = parse_study(load_study(file))
    name, spec = study.metadata.name, study.spec
    if job:
        as_text = output if output is Output.JSON else Output.YAML
        typer.echo(document_text(_first_job(study), as_text), nl=False)
        return
    outlook = outlook_of(name, spec, suggestions)
    rows = [TrialRow(trial.number, WAITING, trial.parameters) for trial in outlook.trials]
    if output is Output.TABLE:
        console = out()
        console.print(preview_view(name, spec, rows, outlook.size, outlook.warm_start, console.width))
    else:
        typer.echo(
            document_text(preview_document(name, spec, rows, outlook.size, outlook.warm_start), output), nl=False
        )
    _require_a_trial(outlook)


def _require_a_trial(outlook: Outlook) -> None:
    """Raise `InvalidStudy` where constraints leave not even a first trial."""
    from tuning_operator.errors import InvalidStudy

    if outlook.why_none:
        raise InvalidStudy([outlook.why_none])


def _first_job(study: TuningStudy) -> dict[str, Any]:
    """Return the Job of trial 0 as the operator would write it, but for the uid, the address and the credential."""
    from tuning_operator.cli.suggestions import outlook_of
    from tuning_operator.decisions.report_access import ReportAccess
    from tuning_operator.decisions.snapshot import StudyKey
    from tuning_operator.decisions.trial_job import trial_job

    outlook = outlook_of(study.metadata.name, study.spec, 1)
    _require_a_trial(outlook)
    (trial,), metadata = outlook.trials, study.metadata
    key = StudyKey(metadata.namespace, metadata.name, metadata.uid or "00000000-0000-0000-0000-000000000000")
    access = ReportAccess("http://tuning-operator.example/v1/reports", "credential-of-the-attempt")
    return trial_job(key, study.spec, trial, access)
