"""Seeds: each trial's follow from the study's seed and the trial's number alone, so that a restart changes nothing."""

from __future__ import annotations

import secrets

import numpy as np
from optuna.samplers import BaseSampler
from optuna.samplers._lazy_random_state import LazyRandomState

_SAMPLING, _TRAINING = 0, 1
"""What a seed is for; the two must not be related."""


def random_seed() -> int:
    """Return a seed for a study that has none."""
    return secrets.randbits(32)


def training_seed(study_seed: int, number: int) -> int:
    """Return the seed of a trial's training run: at most 31 bits, which every library takes."""
    return int(np.random.SeedSequence([study_seed, number, _TRAINING]).generate_state(1)[0]) >> 1


def reseed(sampler: BaseSampler, study_seed: int, number: int) -> None:
    """Let a sampler's random numbers for a trial depend on nothing that was sampled before.

    Optuna can only reseed a sampler at random, so that this sets the states that it finds in the sampler and in the
    samplers that it consists of.
    """
    states = _random_states(sampler)
    seeds = np.random.SeedSequence([study_seed, number, _SAMPLING]).generate_state(max(1, len(states)))
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
