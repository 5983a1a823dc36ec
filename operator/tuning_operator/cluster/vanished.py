"""Which Jobs of a study were seen and exist no more."""

from __future__ import annotations

from dataclasses import dataclass

VANISHED_SECONDS = 3600.0
"""How long it is remembered that a Job vanished: the study looks within a second, unless the database is away."""
MOST_VANISHED = 20_000
"""Vanished Jobs that are remembered of one study: as many as may run at once, twice."""


@dataclass(frozen=True)
class _Gone:
    uid: str
    at: float


class VanishedJobs:
    """The vanished Jobs of one study, by trial and attempt. Asking is free as long as nothing changed."""

    def __init__(self) -> None:
        self._gone: dict[tuple[int, int], _Gone] = {}
        self._frozen: frozenset[tuple[int, int]] = frozenset()
        self._changed = False

    def __len__(self) -> int:
        return len(self._gone)

    @property
    def pairs(self) -> frozenset[tuple[int, int]]:
        """Trial and attempt of each."""
        if self._changed:
            self._frozen, self._changed = frozenset(self._gone), False
        return self._frozen

    def uid(self, pair: tuple[int, int]) -> str | None:
        """Return the uid of the Job that vanished."""
        gone = self._gone.get(pair)
        return gone.uid if gone else None

    def add(self, pair: tuple[int, int], uid: str, now: float) -> None:
        """Note that a Job is gone; the oldest are forgotten where there are too many."""
        self._gone.pop(pair, None)
        self._gone[pair] = _Gone(uid, now)
        if len(self._gone) > MOST_VANISHED:
            del self._gone[next(iter(self._gone))]
        self._changed = True

    def discard(self, pair: tuple[int, int]) -> None:
        """Note that a Job exists, again."""
        if self._gone.pop(pair, None) is not None:
            self._changed = True

    def forget_old(self, now: float) -> None:
        """Forget what vanished long ago."""
        for pair in [pair for pair, gone in self._gone.items() if gone.at < now - VANISHED_SECONDS]:
            self.discard(pair)
