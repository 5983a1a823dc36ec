"""TPE with the suggestions of Optuna's, at a fraction of its cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator
from optuna.samplers._tpe.sampler import default_gamma
from optuna.search_space.group_decomposed import _GroupDecomposedSearchSpace
from optuna.trial import FrozenTrial

from tuning_operator.search.log_density import Numbers, log_density
from tuning_operator.search.reverse_log import GIVEN
from tuning_operator.search.trial_table import TrialTable

MOST_MODELLED = 10_000
"""Finished trials that are not good and are modelled. Of more it is a sample that is modelled
(docs/decisions/0014)."""


class TabularTPESampler(TPESampler):
    """Keeps the trials as numbers from ask to ask; Optuna's turns all of them into numbers at each.

    What it keeps follows from the trials alone, as its groups of parameters do: Optuna's splits these at each ask,
    which a restart would forget. With several objectives it goes Optuna's own way.
    """

    def __init__(
        self,
        *,
        most_modelled: int = MOST_MODELLED,
        may_have: Callable[[Mapping[str, Any]], bool] | None = None,
        **options: Any,
    ) -> None:
        """`may_have` says whether a trial may have some parameters; of what the model offers, only that is taken."""
        super().__init__(**options)
        self._most_modelled = most_modelled
        self._may_have = may_have
        self._known: Mapping[str, Any] = {}
        """What the trial that is asked for has already."""
        self._sampled: Mapping[str, BaseDistribution] = {}
        """What is chosen for it now."""
        self._table: TrialTable | None = None

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        if self._group:
            self._group_decomposed_search_space = _GroupDecomposedSearchSpace(include_pruned=True)
        return super().infer_relative_search_space(study, trial)

    def _sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        if len(study.directions) > 1:
            return super()._sample_relative(study, trial, search_space)
        if not search_space or self._table_of(study).finished < self._n_startup_trials:
            return {}
        return self._sample(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        if len(study.directions) > 1:
            return super().sample_independent(study, trial, param_name, param_distribution)
        if self._table_of(study).finished < self._n_startup_trials:
            return self._random_sampler.sample_independent(study, trial, param_name, param_distribution)
        return self._sample(study, trial, {param_name: param_distribution})[param_name]

    def _sample(self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        self._known, self._sampled = {**trial.params, **trial.system_attrs.get(GIVEN, {})}, search_space
        if len(study.directions) > 1:
            return super()._sample(study, trial, search_space)
        table = self._table_of(study)
        good, others = table.split(
            default_gamma(table.finished), with_running=self._constant_liar, most=self._most_modelled
        )
        of_good, of_others = (
            self._parzen_estimator_cls(
                table.values(places, search_space), search_space, self._parzen_estimator_parameters
            )
            for places in (good, others)
        )
        candidates = of_good.sample(self._rng.rng, self._n_ei_candidates)
        chosen = self._compare(candidates, self._compute_acquisition_func(candidates, of_good, of_others))
        return {name: search_space[name].to_external_repr(value) for name, value in chosen.items()}

    def _compute_acquisition_func(
        self, samples: dict[str, Numbers], mpe_below: _ParzenEstimator, mpe_above: _ParzenEstimator
    ) -> Numbers:
        improvement = mpe_below.log_pdf(samples) - log_density(samples, mpe_above)
        return improvement if self._may_have is None else np.where(self._are_allowed(samples), improvement, -np.inf)

    def _are_allowed(self, samples: dict[str, Numbers]) -> list[bool]:
        assert self._may_have is not None
        external = {name: [*map(self._sampled[name].to_external_repr, samples[name])] for name in samples}
        points = (dict(zip(external, values, strict=True)) for values in zip(*external.values(), strict=True))
        return [self._may_have({**point, **self._known}) for point in points]

    def _table_of(self, study: Study) -> TrialTable:
        """Return all trials. Nobody asks for two at once, so that the list that Optuna keeps is true.

        It is the same list until the next ask, which costs nothing to look at again for the next parameter. The trial
        itself is in it, but is no row to learn from: it has not got what it asks for.
        """
        table = self._table = self._table or TrialTable(study.direction)
        trials = study._get_trials(deepcopy=False, use_cache=True)
        table.update(trials, len(trials), lambda known: self._get_params(known, study))
        return table
