"""Regularised evolution: tournaments among the newest trials, of which the oldest always dies.

Real et al., Regularized Evolution for Image Classifier Architecture Search, AAAI 2019, Algorithm 1. There each child
differs by one mutation; here each parameter may differ, and one does at least.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tuning_operator.api.strategies import OnFailure, RegularizedEvolutionOptions
from tuning_operator.decisions.trials import EndState, Lineage
from tuning_operator.search.strategies.ranking import Rank, rank_of
from tuning_operator.search.strategies.strategy import Answer, Nothing, PastTrial, Proposal, Stored
from tuning_operator.search.strategies.variation import Variation


class RegularizedEvolution:
    """Starts with random trials and goes on with children of those that have ended; there is no barrier after that.

    A child has its parent's parameters but for those that were mutated, and trains from the beginning.
    A pruned trial is a member of the population, the worst one.
    """

    def __init__(self, options: RegularizedEvolutionOptions, variation: Variation) -> None:
        self._options = options
        self._variation = variation

    def next(self, trials: Sequence[PastTrial], random: np.random.Generator) -> Answer:
        """Return the next trial to start."""
        own = [trial for trial in trials if trial.lineage.generation is not None]
        running = sum(trial.state is None for trial in own)
        population = [trial for trial in own if self._is_member(trial)][-self._options.population_size :]
        if len(population) + running < self._options.population_size:
            first = sum(trial.lineage.generation == 0 for trial in own)
            return Proposal(Lineage(generation=0), configuration=first)
        if len(population) < self._options.sample_size:
            return Nothing.WAIT
        drawn = random.integers(len(population), size=self._options.sample_size)
        return self._child(min((population[index] for index in drawn), key=_rank), random)

    def _is_member(self, trial: PastTrial) -> bool:
        if trial.state is EndState.FAILED:
            return self._options.on_failure is OnFailure.WORST
        return trial.state is not None

    def _child(self, parent: PastTrial, random: np.random.Generator) -> Proposal:
        child = self._variation.fitting(self._mutated(parent.parameters, random))
        assert parent.lineage.generation is not None
        note = f"child of trial {parent.number}: {self._variation.changes(parent.parameters, child)}"
        lineage = Lineage(parent=parent.number, inherits=False, generation=parent.lineage.generation + 1, note=note)
        return Proposal(lineage, child)

    def _mutated(self, parameters: Stored, random: np.random.Generator) -> Stored:
        names = self._variation.changeable(parameters)
        if not names:
            return parameters
        mutated = [name for name in names if random.random() < self._options.mutation_prob]
        mutated = mutated or [names[random.integers(len(names))]]
        return {**parameters, **{name: self._variation.redrawn(name, parameters[name], random) for name in mutated}}


def _rank(trial: PastTrial) -> Rank:
    return rank_of(trial, trial.score)
