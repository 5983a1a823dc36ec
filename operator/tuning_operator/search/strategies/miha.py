"""MIHA: one net, whose parameters are changed while it trains.

In each cycle the net goes on in several individuals, each with exactly one parameter changed: by one of the operators
optimizer, activation of a layer and batch size, as likely as each other. The fittest of them, maybe crossed with the
second, becomes the net. Where the published code compares training losses that grow with the
batch size, here the study's own objective is compared; individuals have the same seed; and crossover, which is only
drawn there, is defined here: the weights of the fitter, and each changed parameter from either with equal chances.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from tuning_contract.environment import ParameterValue
from tuning_operator.api.strategies import MIHAOptions
from tuning_operator.decisions.trials import EndState, Lineage
from tuning_operator.search.strategies.ranking import ranked
from tuning_operator.search.strategies.strategy import Answer, Nothing, PastTrial, Proposal, Stored
from tuning_operator.search.strategies.variation import Variation, first_new

_INDIVIDUAL, _CHOSEN = range(2)
"""Rungs of a cycle."""


class _Stage(NamedTuple):
    """Trials of a rung of a cycle; cycle 0 is the run-up."""

    cycle: int
    rung: int


class MIHA:
    """Proposes a run-up, the cycles, and an end.

    An individual that fails, or ends with a value that is not finite, is a loser. If all of a cycle are, the net goes
    on unchanged; if the run-up fails, nothing can go on.
    """

    def __init__(self, options: MIHAOptions, variation: Variation) -> None:
        self._options = options
        self._variation = variation

    def next(self, trials: Sequence[PastTrial], random: np.random.Generator) -> Answer:
        """Return the next trial to start."""
        options = self._options
        runup = _of(trials, _Stage(0, _CHOSEN))
        if not runup:
            return Proposal(Lineage(generation=0, rung=_CHOSEN, budget=options.runup_epochs), configuration=0)
        net = runup[0]
        if not _is_complete(net):
            return Nothing.WAIT if net.state is None else Nothing.FINISHED
        for cycle in range(1, options.cycles + 1):
            individuals = _of(trials, _Stage(cycle, _INDIVIDUAL))
            if len(individuals) < options.population_size:
                return self._individual(cycle, net, individuals, random)
            chosen = _of(trials, _Stage(cycle, _CHOSEN))
            if any(trial.state is None for trial in (*individuals, *chosen)):
                return Nothing.WAIT
            fittest = ranked(individuals, partial(_fitness, net))
            if not chosen:
                return self._choice(cycle, net, fittest, random)
            net = next((trial for trial in (*chosen, *fittest) if _last(trial) is not None), net)
        if _of(trials, _Stage(options.cycles + 1, _CHOSEN)):
            return Nothing.FINISHED
        return _going_on(_Stage(options.cycles + 1, _CHOSEN), net, net.parameters, options.runup_epochs, "")

    def _individual(
        self, cycle: int, net: PastTrial, others: Sequence[PastTrial], random: np.random.Generator
    ) -> Proposal:
        """Return a variant of the net with one parameter changed, not one that the cycle has already if possible."""
        changed: Stored = net.parameters
        if others or not self._options.keep_unchanged:
            changed = first_new(
                lambda: self._mutated(net.parameters, random),
                lambda mutated: all(mutated != other.parameters for other in others),
            )
        note = self._variation.changes(net.parameters, changed)
        return _going_on(_Stage(cycle, _INDIVIDUAL), net, changed, self._options.epochs_per_individual, note)

    def _mutated(self, parameters: Stored, random: np.random.Generator) -> Stored:
        operators = _operators(self._variation.changeable(parameters))
        if not operators:
            return parameters
        names = operators[random.integers(len(operators))]
        name = names[random.integers(len(names))]
        value = self._variation.stepped(name, parameters[name], self._options.largest_step, random)
        return self._variation.completed({**parameters, name: value}, random)

    def _choice(
        self, cycle: int, net: PastTrial, best_first: Sequence[PastTrial], random: np.random.Generator
    ) -> Proposal:
        """Return the net that the cycle leads to."""
        if not best_first:
            return self._fixing(cycle, net, net.parameters, "no individual was complete with a finite value")
        fittest = best_first[0]
        why = f"trial {fittest.number} was the fittest"
        if len(best_first) == 1 or not self._options.crossover:
            return self._fixing(cycle, fittest, fittest.parameters, why)
        second = best_first[1]
        child = self._variation.fitting(_crossed(net.parameters, fittest.parameters, second.parameters, random))
        crossed = f"{why}, crossed with trial {second.number}: {self._variation.changes(fittest.parameters, child)}"
        return self._fixing(cycle, fittest, child, crossed)

    def _fixing(self, cycle: int, parent: PastTrial, parameters: Stored, note: str) -> Proposal:
        return _going_on(_Stage(cycle, _CHOSEN), parent, parameters, self._options.fixing_epochs, note)


def _operators(names: Sequence[str]) -> list[list[str]]:
    """Return the mutations that there are, as the parameters of which each changes one.

    They are equally likely: an optimizer, a batch size, and an activation, of whichever layer. Parameters whose names
    differ in nothing but their numbers are those of layers; any other one is a mutation of its own. Where there is no
    such parameter, the other mutations share its chances.
    """
    operators: dict[str, list[str]] = {}
    for name in names:
        operators.setdefault(re.sub("[0-9]+", "#", name), []).append(name)
    return [*operators.values()]


def _of(trials: Sequence[PastTrial], stage: _Stage) -> list[PastTrial]:
    return [trial for trial in trials if (trial.lineage.generation, trial.lineage.rung) == stage]


def _going_on(stage: _Stage, parent: PastTrial, parameters: Stored, epochs: int, note: str) -> Proposal:
    assert parent.lineage.budget is not None
    lineage = Lineage(
        parent=parent.number,
        generation=stage.cycle,
        rung=stage.rung,
        budget=parent.lineage.budget + epochs,
        note=note,
    )
    return Proposal(lineage, parameters)


def _is_complete(trial: PastTrial) -> bool:
    return trial.state is EndState.COMPLETE


def _last(trial: PastTrial) -> float | None:
    """Return what a trial was worth in the end; None: it is not complete, or has diverged."""
    last = trial.scores[-1] if trial.scores else trial.score
    return last if _is_complete(trial) and last is not None and math.isfinite(last) else None


def _fitness(net: PastTrial, trial: PastTrial) -> float | None:
    """Return how fit an individual is; None: it is a loser.

    With the loss L after the first and the last epoch of an individual its fitness is (L_1 - L_n) - L_n: how fast it
    learned, plus how good it is. L_1 is at most the net's own loss before, for an individual that was ruined by its
    change has not learned when it gets over that. A score is the loss with another sign, whatever the direction.
    """
    last = _last(trial)
    if last is None:
        return None
    first = trial.scores[0] if trial.scores else last
    known = [score for score in (first, net.score) if score is not None and math.isfinite(score)]
    return last - max(known, default=last) + last


def _crossed(net: Stored, fittest: Stored, second: Stored, random: np.random.Generator) -> dict[str, ParameterValue]:
    """Return the parameters of a child: those in which a parent differs from the net come from either."""
    child = dict(fittest)
    for name in net:
        differs = fittest.get(name) != net[name] or second.get(name) != net[name]
        if differs and random.random() < 0.5 and name in second:
            child[name] = second[name]
    return child
