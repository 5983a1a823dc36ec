"""One run: faults in random order, alone and overlapping, with time to recover after some and none after others."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from random import Random

from tests.chaos.deck import Deck
from tests.chaos.population import Population
from tests.chaos.watchman import Watchman
from tests.faults.faults import FAULTS
from tests.faults.patience import NotReached
from tests.faults.stage import Stage
from tests.faults.storage_view import StorageAway
from tests.faults.trainer import read_acknowledgements
from tests.support.rights import Right, granted, right_of

OVERLAPPING = ("API answers", "API requests", "report", "clock", "database", "quota", "study suspended")
"""Beginnings of the faults that may last on while the next one comes; the API server answers the run itself."""
PATIENCE_SECONDS = 300.0
"""How long the studies have to end once everything has healed."""

Say = Callable[[str], None]


@dataclass
class Findings:
    """What a run showed."""

    played: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    """Faults for which nothing was there to break."""
    studies: int = 0
    trials: int = 0
    reports: int = 0
    """Acknowledged ones."""
    restarts: int = 0
    """Of operators, by whatever fault."""
    looks: int = 0
    requests: Counter[Right] = field(default_factory=Counter)
    """Of operators, as the API server's audit log has them, by the right that each used."""
    refused: Counter[Right] = field(default_factory=Counter)
    """Those of them that were answered with an error."""
    unused: set[Right] = field(default_factory=set)
    """Rights of the chart's roles that no request needed."""
    violations: list[str] = field(default_factory=list)


class Run:
    """Plays faults on a stage."""

    def __init__(self, stage: Stage, seed: int, say: Say) -> None:
        self._stage = stage
        self._chance = Random(seed)
        self._say = say
        self._deck = Deck(list(FAULTS), Random(seed))
        self._population = Population(stage, Random(seed))
        self.findings = Findings()

    def play(self, seconds: float) -> None:
        """Break things for so long, let everything heal, and check it all; what was found is in `findings`."""
        began = time.monotonic()
        with Watchman(self._stage) as watchman, ExitStack() as held:
            while watchman.is_content and time.monotonic() - began < seconds:
                self._population.fill()
                self._next_fault(held, round(time.monotonic() - began))
        if not watchman.found:
            self._say("all has healed; waiting for the studies to end")
            self._wait_for_the_end()
            watchman.found = self._stage.violated_at_rest()
        self._sum_up(watchman)

    def _next_fault(self, held: ExitStack, at: int) -> None:
        name = self._deck.draw()
        if not name.startswith(OVERLAPPING):
            held.close()
        own = ExitStack()
        try:
            own.enter_context(FAULTS[name](self._stage, self._chance))
        except NotReached:
            self.findings.missed[name] += 1
            self._deck.owe(name)
            self._say(f"{at:5d} s  {name}: nothing to break")
            return
        self.findings.played[name] += 1
        self._say(f"{at:5d} s  {name}")
        time.sleep(self._chance.uniform(0.2, 2))
        held.close()
        if name.startswith(OVERLAPPING) and self._chance.random() < 0.3:
            held.enter_context(own)
            return
        own.close()
        if self._chance.random() < 0.2:
            self._recover()

    def _recover(self) -> None:
        """Give the studies time until some trials have ended."""
        goal, deadline = self._ended() + 4, time.monotonic() + 10
        while self._ended() < goal and time.monotonic() < deadline:
            time.sleep(0.2)

    def _ended(self) -> int:
        try:
            return sum(not trial.is_open for trial in self._stage.storage.read().trials)
        except StorageAway:
            return 0

    def _wait_for_the_end(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                if not self._population.running():
                    return
            except OSError:
                pass
            time.sleep(0.5)

    def _sum_up(self, watchman: Watchman) -> None:
        findings = self.findings
        findings.studies, findings.restarts = self._population.born, self._stage.deployment.restarts
        findings.looks, findings.violations = watchman.looks, watchman.found
        requests = [(right_of(request), request.code) for request in self._stage.requests()]
        findings.requests = Counter(right for right, _ in requests)
        findings.refused = Counter(right for right, code in requests if code >= 400)
        findings.unused = granted(self._stage.operator.roles) - findings.requests.keys()
        findings.trials = len(self._stage.storage.read().trials)
        acknowledged = read_acknowledgements(self._stage.acknowledgements)
        findings.reports = sum(told.step is not None for told in acknowledged)
