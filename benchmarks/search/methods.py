"""Samplers and pruners: as a TuningStudy names them, and as Optuna's users make them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler

from benchmarks.search.functions import Function
from benchmarks.search.training import EPOCHS, Reporting

EVALUATIONS = 256
"""Trials of a study: a power of two, for Sobol's sequence, and four times the largest parallelism."""
GP_EVALUATIONS = 64
"""With GP, whose asks take up to a second."""


@dataclass(frozen=True)
class Method:
    """A sampler."""

    library: Callable[[int, Function], BaseSampler]
    """(seed, function) -> what a user of Optuna alone would take, at the same options."""
    options: Callable[[Function], Mapping[str, Any]] = lambda _: {}
    """The `options` of the study's sampler."""
    evaluations: int = EVALUATIONS
    parallelism: tuple[int, ...] = (1, 8, 64)
    takes: Callable[[Function], bool] = lambda _: True
    """Whether it can search a function's space."""


def _has_no_conditions(function: Function) -> bool:
    return not any("when" in parameter for parameter in function.parameters)  # which Optuna's grid does not know


def _grid_points(function: Function) -> int:
    return max(2, int((EVALUATIONS + 0.5) ** (1 / len(function.parameters))))


def _grid(seed: int, function: Function) -> BaseSampler:
    points = _grid_points(function)
    axes = {each["name"]: np.linspace(each["low"], each["high"], points).tolist() for each in function.parameters}
    return optuna.samplers.GridSampler(axes, seed=seed)


SAMPLERS: dict[str, Method] = {
    "TPE": Method(lambda seed, _: optuna.samplers.TPESampler(seed=seed)),
    "Random": Method(lambda seed, _: optuna.samplers.RandomSampler(seed=seed)),
    "CMAES": Method(
        lambda seed, _: optuna.samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False),
        takes=lambda function: function.second is None,
    ),
    # Optuna's own default is not scrambled: the same points whatever the seed, which compares badly.
    "QMC": Method(
        lambda seed, _: optuna.samplers.QMCSampler(
            seed=seed, scramble=True, warn_asynchronous_seeding=False, warn_independent_sampling=False
        )
    ),
    "NSGAII": Method(lambda seed, _: optuna.samplers.NSGAIISampler(seed=seed)),
    "NSGAIII": Method(
        lambda seed, _: optuna.samplers.NSGAIIISampler(seed=seed), takes=lambda function: function.second is not None
    ),
    "Grid": Method(_grid, lambda function: {"points": _grid_points(function)}, takes=_has_no_conditions),
    "GP": Method(
        lambda seed, _: optuna.samplers.GPSampler(seed=seed, warn_independent_sampling=False),
        evaluations=GP_EVALUATIONS,
    ),
}
"""By the name that a study gives it."""


NO_PRUNER = "None"
NO_PRUNER_OF_FOLDS = "None, ten folds"


@dataclass(frozen=True)
class Pruning:
    """A pruner, or a strategy that does without one."""

    library: Callable[[Function], BasePruner] | None
    """None: Optuna has none."""
    options: Callable[[Function], Mapping[str, Any]] = lambda _: {}
    evaluations: int = 128
    reporting: Reporting = Reporting.EPOCHS
    without: str = NO_PRUNER
    """The same trials without a pruner, with which it is compared."""


_WARMUP = {"nWarmupSteps": 3}


def _bound(function: Function) -> float:
    """Return a value that is worse than most random trials': nobody wants to go on with what is above it."""
    return function.minimum + 1.25 * function.spread


PRUNERS: dict[str, Pruning] = {
    NO_PRUNER: Pruning(lambda _: optuna.pruners.NopPruner()),
    "Median": Pruning(lambda _: optuna.pruners.MedianPruner(n_warmup_steps=3), lambda _: _WARMUP),
    "Percentile": Pruning(lambda _: optuna.pruners.PercentilePruner(25.0, n_warmup_steps=3), lambda _: _WARMUP),
    "SuccessiveHalving": Pruning(
        lambda _: optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3),
        lambda _: {"reductionFactor": 3},
    ),
    "Hyperband": Pruning(
        lambda _: optuna.pruners.HyperbandPruner(min_resource=1, max_resource=EPOCHS, reduction_factor=3),
        lambda _: {"maxResource": EPOCHS},
    ),
    "Threshold": Pruning(
        lambda function: optuna.pruners.ThresholdPruner(upper=_bound(function), n_warmup_steps=3),
        lambda function: {"upper": _bound(function), **_WARMUP},
    ),
    "Patient": Pruning(
        lambda _: optuna.pruners.PatientPruner(optuna.pruners.MedianPruner(n_warmup_steps=3), patience=3),
        lambda _: {"patience": 3, "wrappedPruner": {"name": "Median", "options": _WARMUP}},
    ),
    # Ten values have less noise together than one.
    NO_PRUNER_OF_FOLDS: Pruning(lambda _: optuna.pruners.NopPruner(), reporting=Reporting.FOLDS),
    "Wilcoxon": Pruning(
        lambda _: optuna.pruners.WilcoxonPruner(), reporting=Reporting.FOLDS, without=NO_PRUNER_OF_FOLDS
    ),
    # A strategy in place of the sampler: 147 points, of which 9 and some more train to the end.
    "SynchronousHyperband": Pruning(None, lambda _: {"maxResource": EPOCHS, "iterations": 3}, evaluations=210),
}
"""By the name that a study gives it; what follows a comma is ours."""


@dataclass(frozen=True)
class Population:
    """A strategy whose trials come from others, beside random search at the same GPU time; Optuna has none."""

    options: Mapping[str, Any]
    evaluations: int
    """Its trials, which may go on from others'."""
    takes: Callable[[Function], bool] = lambda _: True
    """Whether it can search a function's space."""
    reporting: Reporting = Reporting.EPOCHS
    """One that only trains whole trials needs no more than their ends."""


def _has_steps(function: Function) -> bool:
    return any(parameter["type"] != "Float" for parameter in function.parameters)


POPULATIONS: dict[str, Population] = {
    # As many epochs as 20 whole trainings.
    "PopulationBasedTraining": Population(
        {"populationSize": 20, "interval": EPOCHS // 9, "generations": 9}, evaluations=180
    ),
    # Whole trainings; its defaults are for many more.
    "RegularizedEvolution": Population(
        {"populationSize": 32, "sampleSize": 8}, evaluations=128, reporting=Reporting.END
    ),
    # One net of 27 epochs, and the variants of three cycles: as many epochs as three whole trainings.
    "MIHA": Population(
        {"cycles": 3, "populationSize": 8, "runupEpochs": 3, "epochsPerIndividual": 2, "fixingEpochs": 5},
        evaluations=29,
        takes=_has_steps,
    ),
}
"""By the name that a study gives it in its sampler's place."""
