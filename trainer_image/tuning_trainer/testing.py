"""A study without an operator, for the tests of training scripts.

    from tuning_contract import FinalState, TrialEnd
    from tuning_trainer.testing import fake_study

    def test_training_stops_when_it_is_pruned():
        with fake_study(parameters={"learning_rate": 0.1}, prune_at=3) as study:
            train()
        assert [report.step for report in study.reports] == [1, 2, 3]
        assert study.end == TrialEnd(FinalState.PRUNED)

`train` may call `current_trial()` or `optuna_trial()` as in a study. Nothing leaves the process, no thread and no exit
handler is made, and answers come at once: `should_prune()` is true right after the report of step `prune_at`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import PathLike, fspath

from tuning_contract import FinalState, Report, ReportBatch, ReportReply, TrialEnd, TrialEnvironment
from tuning_contract.environment import ParameterValue
from tuning_trainer.process_end import failure_message, is_pruning
from tuning_trainer.session import replaced_trial
from tuning_trainer.trial import Trial


@dataclass
class FakeStudy:
    """What the training script told its study."""

    reports: list[Report] = field(default_factory=list)
    """Reports in their order, as the operator would read them."""
    end: TrialEnd | None = None
    """How the trial ended, None as long as it runs."""

    def values(self, metric: str) -> list[float]:
        """Return a metric's values in the order of the reports that hold it."""
        return [report.values[metric] for report in self.reports if metric in report.values]


class _RecordedReports:
    """The channel into a fake study; it answers at once."""

    def __init__(self, study: FakeStudy, prune_at: int | None) -> None:
        self.reply = ReportReply()
        self._study = study
        self._prune_at = prune_at

    @property
    def ended(self) -> bool:
        return self._study.end is not None

    def report(self, report: Report) -> None:
        (received,) = ReportBatch.from_json(ReportBatch((report,)).to_json()).reports
        self._study.reports.append(received)
        if self._prune_at is not None and received.step >= self._prune_at:
            self.reply = ReportReply(stop=True, reason="Pruned")

    def end(self, end: TrialEnd) -> None:
        if self._study.end is None:
            self._study.end = end

    def flush(self, seconds: float) -> int:
        del seconds
        return 0


@contextmanager
def fake_study(
    parameters: Mapping[str, ParameterValue] | None = None,
    *,
    prune_at: int | None = None,
    number: int = 0,
    attempt: int = 1,
    run: int = 0,
    folds: int | None = None,
    seed: int = 0,
    budget: int | None = None,
    objective: str | None = "value",
    objectives: Sequence[str] = (),
    checkpoint_dir: str | PathLike[str] | None = None,
    resume_from: str | PathLike[str] | None = None,
) -> Iterator[FakeStudy]:
    """Run the block as a trial of a study.

    Parameters
    ----------
    parameters
        What the study suggests to this trial.
    prune_at
        Step from which on the study answers that the trial should stop; None: never.
    attempt
        Which attempt at the trial, from 1: a second one with the same `checkpoint_dir` goes on where the first ended.
    number, run, folds, seed, budget, objective, checkpoint_dir, resume_from
        The trial's properties of the same names.
    objectives
        Metrics of the study's objectives, in place of `objective`.

    The end of the block is the end of the trial: `Trial.prune()` and an uncaught `TrialPruned` leave the block
    quietly, other exceptions are recorded as Failed and pass on, and a block that just ends is Complete.
    """
    study = FakeStudy()
    channel = _RecordedReports(study, prune_at)
    environment = TrialEnvironment(
        study="fake-study",
        namespace="default",
        trial=number,
        attempt=attempt,
        run=run,
        folds=folds,
        parameters=dict(parameters or {}),
        seed=seed,
        budget=budget,
        objective=next(iter(objectives), objective) if len(objectives) <= 1 else None,
        objectives=tuple(objectives) if len(objectives) > 1 else (),
        checkpoint_dir=None if checkpoint_dir is None else fspath(checkpoint_dir),
        resume_from=None if resume_from is None else fspath(resume_from),
    )
    try:
        with replaced_trial(Trial(environment, channel)):
            yield study
    except SystemExit:
        if study.end != TrialEnd(FinalState.PRUNED):
            raise
    except Exception as error:
        if not is_pruning(error):
            channel.end(TrialEnd(FinalState.FAILED, failure_message(error)))
            raise
        channel.end(TrialEnd(FinalState.PRUNED))
    else:
        channel.end(TrialEnd(FinalState.COMPLETE))
