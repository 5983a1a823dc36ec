"""Population-based training: exploit by truncation, explore by perturbation.

Jaderberg et al., Population Based Training of Neural Networks, 2017, section 4. There each member compares itself when
it is ready, with whatever the others have at that moment. Here a generation has a barrier: all are compared after
equally many steps, and who is replaced by whom does not depend on how fast pods are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tuning_operator.api.strategies import PopulationBasedTrainingOptions
from tuning_operator.decisions.trials import Lineage
from tuning_operator.search.strategies.ranking import ranked
from tuning_operator.search.strategies.strategy import Answer, Nothing, PastTrial, Proposal, Stored
from tuning_operator.search.strategies.variation import Variation, first_new

Generation = list[PastTrial]


class PopulationBasedTraining:
    """Trains a population generation by generation; the n-th trial of each is the same member.

    The worst go on with the weights of one of the best and with changed parameters, and so does whose trial failed. No
    two members go on alike as long as the space has enough other parameters.
    """

    def __init__(self, options: PopulationBasedTrainingOptions, variation: Variation) -> None:
        self._options = options
        self._variation = variation

    def next(self, trials: Sequence[PastTrial], random: np.random.Generator) -> Answer:
        """Return the next trial to start."""
        generations: list[Generation] = [[] for _ in range(self._options.generations)]
        for trial in trials:
            number = trial.lineage.generation
            if number is not None and number < len(generations):
                generations[number].append(trial)
        last = next((n for n, some in enumerate(generations) if len(some) < self._options.population_size), None)
        if last is None:
            return Nothing.FINISHED
        so_far = generations[last]
        member = len(so_far)
        budget = self._options.interval * (last + 1)
        if last == 0:
            return Proposal(Lineage(generation=0, budget=budget), configuration=member)
        return self._member(generations[last - 1], so_far, Lineage(generation=last, budget=budget), random)

    def _member(self, before: Generation, so_far: Generation, lineage: Lineage, random: np.random.Generator) -> Answer:
        """Return how the next member goes on after the generation before."""
        if any(trial.state is None for trial in before):
            return Nothing.WAIT
        best_first = ranked(before)
        if not best_first:
            return Nothing.FINISHED
        cut = min(max(1, int(self._options.truncation * len(before))), len(best_first) // 2)
        staying, member = best_first[: len(best_first) - cut], before[len(so_far)]
        if member in staying:
            return _going_on(member, member.parameters, lineage, "")
        best, changed = first_new(
            lambda: self._copy(best_first[: max(1, cut)], random),
            lambda copy: _is_new(*copy, so_far),
        )
        why = f"a copy of trial {best.number} replaces trial {member.number}"
        return _going_on(best, changed, lineage, f"{why}: {self._variation.changes(best.parameters, changed)}")

    def _copy(self, best: Sequence[PastTrial], random: np.random.Generator) -> tuple[PastTrial, Stored]:
        """Return one of the best, and the parameters that its copy goes on with."""
        parent = best[int(random.integers(len(best)))]
        return parent, self._variation.completed(self._explored(parent.parameters, random), random)

    def _explored(self, parameters: Stored, random: np.random.Generator) -> Stored:
        explored = dict(parameters)
        for name in self._variation.changeable(parameters):
            change = self._variation.perturbed
            if random.random() < self._options.resample_prob:
                change = self._variation.redrawn
            explored[name] = change(name, parameters[name], random)
        return explored


def _is_new(parent: PastTrial, parameters: Stored, so_far: Generation) -> bool:
    """Whether neither the parent itself, which goes on unchanged, nor another copy of it will have these parameters."""
    copies = (trial.parameters for trial in so_far if trial.lineage.parent == parent.number)
    return all(parameters != others for others in (parent.parameters, *copies))


def _going_on(parent: PastTrial, parameters: Stored, lineage: Lineage, note: str) -> Proposal:
    descended = Lineage(parent=parent.number, generation=lineage.generation, budget=lineage.budget, note=note)
    return Proposal(descended, parameters)
