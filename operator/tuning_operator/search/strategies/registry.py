"""Which strategy belongs to which name."""

from __future__ import annotations

from tuning_operator.api.samplers import Sampler
from tuning_operator.api.strategies import SynchronousHyperbandOptions
from tuning_operator.search.strategies.strategy import Strategy
from tuning_operator.search.strategies.synchronous_hyperband import SynchronousHyperband


def make_strategy(spec: Sampler) -> Strategy | None:
    """Return the strategy of a study; None: an ordinary sampler chooses its trials."""
    options = spec.parsed_options()
    match options:
        case SynchronousHyperbandOptions():
            return SynchronousHyperband(options)
        case _:
            return None
