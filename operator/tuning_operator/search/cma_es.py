"""Optuna's CMA-ES without trust in the database, for many pruned trials, and with a warm start of each variant.

Optuna keeps the strategy's state in a trial's attributes, pickled. Whoever can write to the database could make the
operator run any code with a pickle of his own.
"""

from __future__ import annotations

import copy
import io
import math
import pickle
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from cmaes import CMA, CMAwM, SepCMA
from optuna import Study
from optuna._transform import _SearchSpaceTransform
from optuna.distributions import BaseDistribution
from optuna.samplers import CmaEsSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

_HARMLESS = {
    ("cmaes._cma", "CMA"),
    ("cmaes._cmawm", "CMAwM"),
    ("cmaes._sepcma", "SepCMA"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
}
"""What a strategy's state consists of: none of it does anything when it is made."""

_PRIOR_VARIANCE = 0.1**2
"""Of each parameter, on a scale from 0 to 1, beside that of the best tenth of a warm start (Nomura et al., 2021)."""


class CheckedCmaEsSampler(CmaEsSampler):
    """Searches the same space from the first trial on, and reads only what a strategy's state consists of.

    Optuna's searches what all complete trials share. Where that shrinks, for a parameter turns out to be conditional,
    the stored strategy has too many dimensions, and everything is random from then on.
    """

    def __init__(
        self, space: Mapping[str, BaseDistribution], source_trials: Sequence[FrozenTrial], **options: Any
    ) -> None:
        """`space` has numeric parameters that all trials have, and that have more than one value.

        The first generation is spread over the best of `source_trials`, which have values of these parameters alone.
        """
        super().__init__(**options)
        self._space = dict(sorted(space.items()))
        # Here, for Optuna refuses them with `use_separable_cma`. Without it, their covariance has a determinant that
        # is 0 with many parameters.
        is_known = source_trials and (self._use_separable_cma or _PRIOR_VARIANCE ** len(space) > 0)
        self._source_trials = [*source_trials] if is_known else None

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._space

    def _get_trials(self, study: Study) -> list[FrozenTrial]:
        """Return the trials to learn from. Optuna's makes deep copies of pruned ones, and lets NaN into the ranking."""
        trials = []
        for trial in study._get_trials(deepcopy=False, use_cache=True):
            if trial.state is TrialState.COMPLETE:
                trials.append(trial)
            elif self._consider_pruned_trials and trial.state is TrialState.PRUNED and trial.intermediate_values:
                value = trial.intermediate_values[max(trial.intermediate_values)]
                if math.isfinite(value):
                    pruned = copy.copy(trial)
                    pruned.value = value
                    trials.append(pruned)
        return trials

    def _init_optimizer(self, trans: _SearchSpaceTransform, direction: StudyDirection) -> Any:
        """Return a new strategy. Optuna's separable one knows no warm start: it gets each parameter's spread of it."""
        if not self._use_separable_cma or self._source_trials is None:
            return super()._init_optimizer(trans, direction)
        complete = [(trial.value, trial.params) for trial in self._source_trials if trial.value is not None]
        complete.sort(key=lambda known: known[0], reverse=direction == StudyDirection.MAXIMIZE)
        best = np.array([trans.transform(params) for _, params in complete[: len(complete) // 10]])
        # The diagonal of what `cmaes.get_warm_start_mgd` returns, whose determinant vanishes with many parameters.
        mean, spread = best.mean(axis=0), np.sqrt(_PRIOR_VARIANCE + best.var(axis=0))
        sigma = math.exp(np.log(spread).mean())
        strategy = SepCMA(
            mean=mean,
            sigma=sigma,
            bounds=trans.bounds,
            seed=self._cma_rng.rng.randint(1, 2**31 - 2),
            n_max_resampling=10 * len(mean),
            population_size=self._popsize,
        )
        strategy._C = (spread / sigma) ** 2  # it can't be given one
        return strategy

    def _restore_optimizer(self, completed_trials: list[FrozenTrial]) -> Any:
        prefix = self._attr_key_optimizer
        for trial in reversed(completed_trials):
            parts = {key: part for key, part in trial.system_attrs.items() if key.startswith(prefix)}
            if parts and (state := self._strategy(parts)) is not None:
                return state
        return None

    def _strategy(self, parts: dict[str, Any]) -> Any:
        """Return the strategy that attributes hold; None: they hold none that this sampler wrote."""
        kind = SepCMA if self._use_separable_cma else CMAwM if self._with_margin else CMA
        try:
            state = _Unpickler(io.BytesIO(bytes.fromhex(self._concat_optimizer_attrs(parts)))).load()
            return state if type(state) is kind and state.dim == len(self._space) else None
        except Exception:  # noqa: BLE001 - a pickle of somebody else's may raise anything
            return None


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        if (module_name, global_name) not in _HARMLESS:
            raise pickle.UnpicklingError(f"{module_name}.{global_name} is not part of a strategy's state")
        return super().find_class(module_name, global_name)
