"""What suggests a study's trials, from the study's first trial to its last."""

from __future__ import annotations

import asyncio
import copy
import traceback
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from optuna.trial import FrozenTrial

from tuning_operator.api.study import StudySpec
from tuning_operator.errors import ParameterRefused, SearchFailed
from tuning_operator.search.asking import Asking
from tuning_operator.search.history import Outlook
from tuning_operator.search.horizon import ahead_of
from tuning_operator.search.naming import Wanted
from tuning_operator.search.samplers import APART
from tuning_operator.search.search_process import RemoteAsking
from tuning_operator.search.suggester import Past, Suggestion
from tuning_operator.search.suggestions import Suggestions
from tuning_operator.search.workers import Workers


class Sampling:
    """Suggests by the newest spec, and begins anew from what is stored where the sampler may know what is not.

    Whoever calls holds `in_order` but for `naming`, which takes it.
    """

    def __init__(self, past: Callable[[StudySpec], Past], spec: StudySpec, workers: Workers) -> None:
        """`past` returns the study as it is stored.

        Making it takes long where there are many trials: call that off the event loop.
        """
        self.in_order = asyncio.Lock()
        """Asks, tells and changes of the sampler come one after the other: what is suggested depends on their order."""
        self.failure = ""
        """Why the sampler failed when it was asked last, as a sentence; empty: it did not."""
        self._past = past
        self._workers = workers
        self._being_named: list[tuple[Wanted, Any]] = []
        """What was chosen for names, while it is being stored."""
        newest = past(spec)
        self._use(newest, self._made_from(newest))

    async def change(self, spec: StudySpec) -> None:
        """Suggest by this spec from now on; where it is impossible, all stays as it is."""
        before = self.suggestions
        await self._begin(spec)
        self.failure = ""
        before.drop()

    async def take(self, count: int) -> Sequence[Suggestion]:
        """Return the next suggestions, which the caller stores; none: there is none, or not before a trial ends."""
        taken = await self.suggestions.take(count)
        if not taken:
            self.outlook = self._outlook(waits=True)
        return taken

    def taken(self) -> None:
        """Take note that suggestions are stored."""
        self.outlook = self._outlook(waits=self.outlook.waits)

    def learn(self, ended: Sequence[FrozenTrial]) -> None:
        """Take the ends of trials."""
        self.outlook = replace(self.outlook, waits=False)
        for trial in ended:
            self.suggestions.learn(trial)

    @asynccontextmanager
    async def naming(self, new: Wanted) -> AsyncIterator[Any]:
        """Choose the value of a parameter that a trial's code names, as Optuna has it; the body stores it."""
        async with self.in_order, self.anew_after_errors():
            stored = await self.suggestions.choose(new)
            self._being_named.append((new, stored))
        try:
            yield stored
        except BaseException:
            self._being_named.remove((new, stored))
            async with self.in_order:
                self.begin_anew()
            raise
        self._being_named.remove((new, stored))

    @asynccontextmanager
    async def anew_after_errors(self) -> AsyncIterator[None]:
        """Begin anew after something failed whose outcome the sampler may know already."""
        try:
            if self._is_behind:
                await self._begin(self.spec)
            yield
        except ParameterRefused:
            raise
        except BaseException as error:
            if isinstance(error, SearchFailed):
                self.failure = str(error)
                _let_go_of_locals(error)
            self.begin_anew()
            raise
        self.failure = ""

    def begin_anew(self) -> None:
        """Suggest from what is stored, from the next call on, which fails where the sampler can't begin."""
        self.drop()
        self._is_behind = True
        self.outlook = replace(self.outlook, waits=False)

    def drop(self) -> None:
        """Let nothing be prepared any more that nobody will ask for."""
        self.suggestions.drop()

    async def _begin(self, spec: StudySpec) -> None:
        past = self._past(spec)
        past = replace(past, trials=self._with_what_is_being_named(past.trials))
        self._use(past, await asyncio.to_thread(self._made_from, past))

    def _use(self, past: Past, suggestions: Suggestions) -> None:
        self.suggestions = suggestions
        self._is_behind = False
        """Whether what suggests may know other trials than are stored."""
        self.spec, self.seed = past.spec, past.seed
        self.outlook = self._outlook(waits=False)

    def _made_from(self, past: Past) -> Suggestions:
        process, asked = self._workers.search_process, len(past.trials)
        ahead = partial(ahead_of, past.spec, len(past.warm))
        if past.spec.search.sampler.name in APART:
            return Suggestions(RemoteAsking(past, process), process.thread, ahead, asked)
        return Suggestions(Asking(past), self._workers.askers.of_a_study(), ahead, asked)

    def _outlook(self, *, waits: bool) -> Outlook:
        return Outlook(self.suggestions.size(), self.suggestions.why_none(), waits)

    def _with_what_is_being_named(self, stored: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """Return the trials as the sampler knows them: what it chose for a name is not stored at once."""
        trials = [*stored]
        for new, value in self._being_named:
            trial = trials[new.number] = copy.copy(trials[new.number])
            trial.params = {**trial.params, new.name: value}
            trial.distributions = {**trial.distributions, new.name: new.distribution}
        return trials


def _let_go_of_locals(error: BaseException | None) -> None:
    """Leave of an error's stack what a log shows: its frames would keep the sampler, in a circle, that nobody needs."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__
