"""What a study's strategy proposes next, given Optuna's trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from tuning_contract.environment import ParameterValue
from tuning_operator.api.study import Direction
from tuning_operator.decisions.snapshot import EndState
from tuning_operator.search.attributes import SEED, trial_attributes
from tuning_operator.search.lineage import lineage_of, written_lineage
from tuning_operator.search.seeds import strategy_random
from tuning_operator.search.strategies import Answer, Nothing, PastTrial, Proposal, Strategy

_STATES = {
    TrialState.COMPLETE: EndState.COMPLETE,
    TrialState.PRUNED: EndState.PRUNED,
    TrialState.FAIL: EndState.FAILED,
}


@dataclass(frozen=True)
class Descent:
    """What of a trial to come is not for a sampler to choose."""

    given: Mapping[str, ParameterValue]
    """Parameters, as Optuna stores them; the others are drawn."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """User attributes: its lineage, and the seed of its training where that is its first ancestor's, so that what
    follows from it, a split of the data for example, stays the same."""


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

    def add(self, trial: FrozenTrial, *, as_running: bool = False) -> None:
        """Take the next trial, as it is stored."""
        self._trials.append(trial)
        self._past.append(self._seen(trial, None if as_running else _STATES.get(trial.state)))

    def tell(self, trial: FrozenTrial) -> None:
        """Take the result of a trial that ran until now."""
        self._trials[trial.number] = trial
        self._past[trial.number] = self._seen(trial, _STATES[trial.state])

    def is_finished(self) -> bool:
        """Return whether nothing will be proposed any more."""
        return self._next() is Nothing.FINISHED

    def next(self) -> Descent | None:
        """Return what the strategy says of the next trial; None: there is none for now."""
        proposal = self._next()
        if isinstance(proposal, Nothing):
            return None
        lineage, seed = proposal.lineage, {}
        if lineage.parent is not None:
            parent = trial_attributes(self._trials[lineage.parent].user_attrs)
            lineage, seed = replace(lineage, parent_attempt=parent.earlier.first), {SEED: parent.seed}
        return Descent(self._given(proposal), {**written_lineage(lineage), **seed})

    def _given(self, proposal: Proposal) -> Mapping[str, ParameterValue]:
        number = proposal.configuration
        if number is None or number >= len(self._enqueued):
            return proposal.parameters
        return self._enqueued[number]

    def _next(self) -> Answer:
        return self._strategy.next(self._past, strategy_random(self._seed, len(self._past)))

    def _seen(self, trial: FrozenTrial, state: EndState | None) -> PastTrial:
        past = PastTrial(trial.number, trial.params, lineage_of(trial), state)
        if state is None:
            return past
        curve = sorted(trial.intermediate_values.items())
        return replace(
            past,
            scores=tuple(self._sign * value for _, value in curve),
            score=self._sign * trial.values[0] if state is EndState.COMPLETE and trial.values else None,
        )
