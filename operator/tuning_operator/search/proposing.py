"""What a study's strategy proposes next, given Optuna's trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from tuning_contract.environment import ParameterValue
from tuning_operator.api.study import Direction
from tuning_operator.decisions.trials import EndState, Lineage
from tuning_operator.search.attributes import SEED, trial_attributes
from tuning_operator.search.feasibility import violation_in
from tuning_operator.search.lineage import lineage_of, written_lineage
from tuning_operator.search.seeds import strategy_random
from tuning_operator.search.strategies import Answer, Nothing, PastTrial, Strategy

_STATES = {
    TrialState.COMPLETE: EndState.COMPLETE,
    TrialState.PRUNED: EndState.PRUNED,
    TrialState.FAIL: EndState.FAILED,
}

_NO_CHANGE = "no change that was drawn meets `constraints`"


@dataclass(frozen=True)
class Descent:
    """What of a trial to come is not for a sampler to choose."""

    given: Mapping[str, ParameterValue]
    """Parameters, as Optuna stores them; the others are drawn."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """User attributes: its lineage, and the seed of its training where that is its first ancestor's, so that what
    follows from it, a split of the data for example, stays the same."""
    otherwise: Descent | None = None
    """What there is instead, where constraints forbid whatever was proposed; None: nothing else."""
    enqueued: int | None = None
    """The index of the enqueued trial that gave the parameters; None: none did."""


class Proposing:
    """Lets a strategy propose. Enqueued parameters go to its first new configurations."""

    def __init__(
        self,
        strategy: Strategy,
        enqueued: Sequence[Mapping[str, ParameterValue]],
        direction: Direction,
        seed: int,
    ) -> None:
        self._strategy = strategy
        self._enqueued = enqueued
        self._sign = 1.0 if direction is Direction.MAXIMIZE else -1.0
        self._seed = seed
        self._trials: list[FrozenTrial] = []
        self._past: list[PastTrial] = []
        self._is_finished: bool | None = None
        """Whether nothing was left to propose when the strategy was asked last; None: it was not."""

    def add(self, trial: FrozenTrial, *, as_running: bool = False) -> None:
        """Take the next trial, as it is stored."""
        self._trials.append(trial)
        self._past.append(self._seen(trial, None if as_running else _STATES.get(trial.state)))

    def tell(self, trial: FrozenTrial) -> None:
        """Take the result of a trial that ran until now."""
        self._trials[trial.number] = trial
        self._past[trial.number] = self._seen(trial, _STATES[trial.state])

    def is_finished(self, *, anew: bool = False) -> bool:
        """Return whether nothing will be proposed any more, as far as that was seen when something was to be proposed.

        So it costs nothing but for the first time, or `anew`, which is to look at the trials that came since.
        """
        if anew or self._is_finished is None:
            self._next()
        return bool(self._is_finished)

    def next(self, draw: int = 0) -> Descent | None:
        """Return what the strategy says of the next trial; None: there is none for now.

        `draw` counts from 0 how often it is asked for the same trial.
        """
        proposal = self._next(draw)
        if isinstance(proposal, Nothing):
            return None
        lineage = proposal.lineage
        if proposal.configuration is not None:
            return self._configuration(proposal.configuration, written_lineage(lineage))
        if lineage.source is None:
            anything = Lineage(generation=lineage.generation, budget=lineage.budget, note=_NO_CHANGE)
            return Descent(proposal.parameters, written_lineage(lineage), Descent({}, written_lineage(anything)))
        parent = self._trials[lineage.source]
        known = trial_attributes(parent.user_attrs)
        lineage = replace(lineage, parent_attempt=known.earlier.first)
        unchanged = {**written_lineage(replace(lineage, note=_NO_CHANGE)), SEED: known.seed}
        otherwise = Descent(parent.params, unchanged)
        return Descent(proposal.parameters, {**written_lineage(lineage), SEED: known.seed}, otherwise)

    def _configuration(self, number: int, attributes: Mapping[str, Any]) -> Descent:
        if number < len(self._enqueued):
            return Descent(self._enqueued[number], attributes, enqueued=number)
        return Descent({}, attributes)

    def _next(self, draw: int = 0) -> Answer:
        answer = self._strategy.next(self._past, strategy_random(self._seed, len(self._past), draw))
        self._is_finished = answer is Nothing.FINISHED
        return answer

    def _seen(self, trial: FrozenTrial, state: EndState | None) -> PastTrial:
        past = PastTrial(trial.number, trial.params, lineage_of(trial), state)
        if state is None:
            return past
        curve = sorted(trial.intermediate_values.items())
        return replace(
            past,
            scores=tuple(self._sign * value for _, value in curve),
            score=self._sign * trial.values[0] if state is EndState.COMPLETE and trial.values else None,
            violation=violation_in(trial),
        )
