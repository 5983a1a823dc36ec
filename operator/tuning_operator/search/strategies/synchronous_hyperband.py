"""Hyperband as it was published: rungs with a barrier, whose best trials go on from their checkpoints.

Li et al., Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization, JMLR 18 (2018), Algorithm 1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from tuning_operator.api.strategies import SynchronousHyperbandOptions
from tuning_operator.decisions.schedule import Round, brackets
from tuning_operator.decisions.trials import Lineage
from tuning_operator.search.strategies.ranking import ranked
from tuning_operator.search.strategies.strategy import Answer, Nothing, PastTrial, Proposal

Rung = list[PastTrial]


class SynchronousHyperband:
    """Fills the rungs of one bracket after the other; while a rung waits for its last trials, the next bracket begins.

    Who failed or was pruned is a loser. Where fewer are complete than a rung has room for, all of them go on.
    """

    def __init__(self, options: SynchronousHyperbandOptions) -> None:
        self._brackets = brackets(options) * options.iterations

    def next(self, trials: Sequence[PastTrial], random: np.random.Generator) -> Answer:
        """Return the next trial to start."""
        known: dict[tuple[int | None, int | None], Rung] = defaultdict(list)
        for trial in trials:
            known[trial.lineage.bracket, trial.lineage.rung].append(trial)
        waits, configurations = False, 0
        for number, rounds in enumerate(self._brackets):
            rungs = [known[number, rung] for rung in range(len(rounds))]
            if len(rungs[0]) < rounds[0].trials:
                lineage = Lineage(bracket=number, rung=0, budget=rounds[0].steps)
                return Proposal(lineage, configuration=configurations + len(rungs[0]))
            answer = _next_of(rounds, rungs)
            if isinstance(answer, Proposal):
                return answer
            waits |= answer is Nothing.WAIT
            configurations += rounds[0].trials
        return Nothing.WAIT if waits else Nothing.FINISHED


def _next_of(rounds: Sequence[Round], rungs: Sequence[Rung]) -> Answer:
    """Return what a bracket proposes that has begun with all its trials."""
    for rung in range(1, len(rounds)):
        if any(trial.state is None for trial in rungs[rung - 1]):
            return Nothing.WAIT
        if len(rungs[rung]) >= rounds[rung].trials:
            continue
        # All of a rung are ranked, and promoted from the first on.
        parents = {trial.lineage.parent for trial in rungs[rung]}
        left = (trial for trial in ranked(rungs[rung - 1]) if trial.number not in parents)
        if (best := next(left, None)) is not None:
            return _promotion(best, rounds[rung].steps)
    return Nothing.FINISHED


def _promotion(trial: PastTrial, steps: int) -> Proposal:
    assert trial.lineage.rung is not None
    lineage = Lineage(
        parent=trial.number,
        bracket=trial.lineage.bracket,
        rung=trial.lineage.rung + 1,
        budget=steps,
        note=f"trial {trial.number} was promoted",
    )
    return Proposal(lineage, trial.parameters)
