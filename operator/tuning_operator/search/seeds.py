"""Seeds: each trial's follow from the study's seed and the trial's number alone, so that a restart changes nothing."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import numpy as np
from optuna.samplers import BaseSampler
from optuna.samplers._lazy_random_state import LazyRandomState

_SAMPLING, _TRAINING, _ORDER, _STRATEGY, _FEASIBLE, _NAMED = range(6)
"""What a seed is for; no two of them may be related."""


def random_seed() -> int:
    """Return a seed for a study that has none."""
    return secrets.randbits(32)


def training_seed(study_seed: int, number: int) -> int:
    """Return the seed of a trial's training run: at most 31 bits, which every library takes."""
    return int(np.random.SeedSequence([study_seed, number, _TRAINING]).generate_state(1)[0]) >> 1


def order_seed(study_seed: int) -> int:
    """Return the seed of what is the same for all trials of a study: the order of points, a sequence's scrambling."""
    return int(np.random.SeedSequence([study_seed, 0, _ORDER]).generate_state(1)[0])


def strategy_random(study_seed: int, number: int, draw: int = 0) -> np.random.Generator:
    """Return the random numbers by which a strategy proposes a trial; `draw` as in `reseed`."""
    return np.random.default_rng([study_seed, number, _STRATEGY, draw])


def feasible_seed(study_seed: int, number: int) -> int:
    """Return the seed of the points that are drawn for a trial where its sampler found none that may be tried."""
    return int(np.random.SeedSequence([study_seed, number, _FEASIBLE]).generate_state(1)[0])


def reseed(sampler: BaseSampler, study_seed: int, number: int, draw: int = 0) -> None:
    """Let a sampler's random numbers for a trial depend on nothing that was sampled before.

    `draw` counts from 0 how often a trial's point is drawn, where one may have to be drawn again.
    """
    _seed(sampler, [study_seed, number, _SAMPLING, draw])


def reseed_for(sampler: BaseSampler, study_seed: int, number: int, parameter: str) -> None:
    """The same for one parameter of a trial, by its name."""
    _seed(sampler, [study_seed, number, _NAMED, *parameter.encode()])


def _seed(sampler: BaseSampler, entropy: Sequence[int]) -> None:
    """Set a sampler's random numbers.

    Optuna can only reseed a sampler at random, so that this sets the states that it finds in the sampler and in the
    samplers that it consists of.
    """
    states = _random_states(sampler)
    seeds = np.random.SeedSequence(entropy).generate_state(max(1, len(states)))
    for state, seed in zip(states, seeds, strict=False):
        state.rng.seed(int(seed))


def _random_states(sampler: BaseSampler) -> list[LazyRandomState]:
    found: list[LazyRandomState] = []
    for _, value in sorted(vars(sampler).items()):
        if isinstance(value, LazyRandomState):
            found.append(value)
        elif isinstance(value, BaseSampler):
            found.extend(_random_states(value))
    return found
