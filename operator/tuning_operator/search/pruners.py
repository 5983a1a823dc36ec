"""Pruners: adding one is an option model in `api/pruners.py`, a rule in a file of its own and an entry here.

Optuna's own pruners look at all trials at each decision, which the event loop can't afford, and some decide otherwise
when they are asked twice.
"""

from __future__ import annotations

from collections.abc import Callable

from optuna.study import StudyDirection

from tuning_operator.api.model import ResourceModel
from tuning_operator.api.pruners import (
    HyperbandOptions,
    MedianOptions,
    PatientOptions,
    PercentileOptions,
    Pruner,
    PrunerName,
    SuccessiveHalvingOptions,
    ThresholdOptions,
    WilcoxonOptions,
)
from tuning_operator.search.curve import Standing
from tuning_operator.search.halving import HyperbandRule, SuccessiveHalvingRule
from tuning_operator.search.open_trial import TrialProgress
from tuning_operator.search.patience import PatienceRule
from tuning_operator.search.percentile import PercentileRule
from tuning_operator.search.threshold import ThresholdRule
from tuning_operator.search.verdicts import GO_ON, Judged, TrialPruner, Verdict
from tuning_operator.search.wilcoxon import WilcoxonRule


def make_pruner(spec: Pruner, direction: StudyDirection, seed: int) -> TrialPruner:
    """Return the pruner of a study, which knows no trial yet."""
    return PRUNERS[spec.name](spec.parsed_options(), direction, seed)


def judge(pruner: TrialPruner, trial: TrialProgress) -> Verdict:
    """Return what becomes of a trial after its values that were not judged yet, and let others compete with it.

    Each value is judged as if it had come alone: which of them travel together must not matter.
    """
    reached: dict[int, float] = {}
    for standing in trial.undecided:
        verdict = pruner.judge(trial, standing)
        reached |= verdict.rungs
        trial.rungs |= verdict.rungs
        pruner.add_rungs(trial.number, verdict.rungs)
        if verdict.prune:
            return Verdict(True, reached)
    if any(pruner.judge_runs(values).prune for values in trial.undecided_runs):
        return Verdict(True, reached)
    return Verdict(False, reached)


def take_back(pruner: TrialPruner, trial: TrialProgress, verdict: Verdict) -> None:
    """Undo what `judge` did: its verdict could not be stored."""
    pruner.remove_rungs(trial.number, verdict.rungs)
    for step in verdict.rungs:
        del trial.rungs[step]


class NoPruning(TrialPruner):
    """Lets every trial go on."""

    decides = False

    def judge(self, trial: Judged, standing: Standing) -> Verdict:
        return GO_ON


def _none(_options: ResourceModel, _direction: StudyDirection, _seed: int) -> TrialPruner:
    return NoPruning()


def _median(options: ResourceModel, direction: StudyDirection, _seed: int) -> TrialPruner:
    assert isinstance(options, MedianOptions)
    return PercentileRule(50.0, options, direction)


def _percentile(options: ResourceModel, direction: StudyDirection, _seed: int) -> TrialPruner:
    assert isinstance(options, PercentileOptions)
    return PercentileRule(options.percentile, options, direction)


def _successive_halving(options: ResourceModel, direction: StudyDirection, _seed: int) -> TrialPruner:
    assert isinstance(options, SuccessiveHalvingOptions)
    return SuccessiveHalvingRule(options, direction)


def _hyperband(options: ResourceModel, direction: StudyDirection, seed: int) -> TrialPruner:
    assert isinstance(options, HyperbandOptions)
    return HyperbandRule(options, direction, seed)


def _threshold(options: ResourceModel, _direction: StudyDirection, _seed: int) -> TrialPruner:
    assert isinstance(options, ThresholdOptions)
    return ThresholdRule(options)


def _patient(options: ResourceModel, direction: StudyDirection, seed: int) -> TrialPruner:
    assert isinstance(options, PatientOptions)
    wrapped = options.wrapped_pruner
    return PatienceRule(options, direction, None if wrapped is None else make_pruner(wrapped, direction, seed))


def _wilcoxon(options: ResourceModel, direction: StudyDirection, _seed: int) -> TrialPruner:
    assert isinstance(options, WilcoxonOptions)
    return WilcoxonRule(options, direction)


PRUNERS: dict[PrunerName, Callable[[ResourceModel, StudyDirection, int], TrialPruner]] = {
    PrunerName.NONE: _none,
    PrunerName.MEDIAN: _median,
    PrunerName.PERCENTILE: _percentile,
    PrunerName.SUCCESSIVE_HALVING: _successive_halving,
    PrunerName.HYPERBAND: _hyperband,
    PrunerName.THRESHOLD: _threshold,
    PrunerName.PATIENT: _patient,
    PrunerName.WILCOXON: _wilcoxon,
}
