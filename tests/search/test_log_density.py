"""The density of many trials is the one that Optuna's estimator computes."""

from __future__ import annotations

import numpy as np
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator

from tuning_operator.search.log_density import Numbers, log_density
from tuning_operator.search.tpe import TabularTPESampler

SPACE: dict[str, BaseDistribution] = {
    "rate": FloatDistribution(1e-5, 1e-1, log=True),
    "momentum": FloatDistribution(0.0, 1.0),
    "dropout": FloatDistribution(0.0, 0.6, step=0.1),
    "units": IntDistribution(1, 100_000),
    "batch": IntDistribution(1, 256, log=True),
    "kind": CategoricalDistribution(["a", "b", "c"]),
}


def _drawn(space: dict[str, BaseDistribution], count: int, seed: int) -> dict[str, Numbers]:
    """Values at random, the ends of the ranges among them."""
    chance, values = np.random.default_rng(seed), {}
    for name, distribution in space.items():
        if isinstance(distribution, CategoricalDistribution):
            values[name] = chance.integers(len(distribution.choices), size=count).astype(float)
            continue
        assert isinstance(distribution, FloatDistribution | IntDistribution)
        drawn = chance.uniform(distribution.low, distribution.high, count)
        drawn[:2] = [distribution.low, distribution.high][:count]
        step = distribution.step
        values[name] = drawn if step is None else distribution.low + np.round((drawn - distribution.low) / step) * step
    return values


def _estimator(space: dict[str, BaseDistribution], trials: int) -> _ParzenEstimator:
    return _ParzenEstimator(_drawn(space, trials, 1), space, TabularTPESampler()._parzen_estimator_parameters)


@pytest.mark.parametrize("names", [[name] for name in SPACE] + [[*SPACE]], ids=",".join)
@pytest.mark.parametrize("trials", [0, 1, 200, 3_000])
def test_it_is_optunas(names: list[str], trials: int) -> None:
    space = {name: SPACE[name] for name in names}
    estimator, points = _estimator(space, trials), _drawn(space, 24, 2)
    np.testing.assert_allclose(log_density(points, estimator), estimator.log_pdf(points), rtol=1e-9, atol=1e-9)
