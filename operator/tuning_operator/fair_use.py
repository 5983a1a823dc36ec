"""What studies together may use of one operator, so that one team can't starve another.

Counts the trials of all studies of this process. Whoever is held back waits here, and is woken when there is room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from tuning_operator.decisions.snapshot import UNLIMITED, Allowance, StudyKey
from tuning_operator.settings import Settings


@dataclass(frozen=True)
class _Use:
    """The trials of one study."""

    namespace: str
    open: int = 0
    total: int = 0


class FairUse:
    """The ledger. All of it happens between two awaits of one event loop, so that no room is given away twice."""

    def __init__(self, settings: Settings, wake: Callable[[str], None]) -> None:
        self._settings = settings
        self._wake = wake
        self._uses: dict[str, _Use] = {}
        """By the study's uid."""
        self._waiting: dict[str, str] = {}
        """Uid of a study that is held back -> its namespace."""

    def allowance(self, study: StudyKey) -> Allowance:
        """Return how many more trials a study may ask for now."""
        return min(self._allowances(study), key=lambda allowance: allowance.trials, default=UNLIMITED)

    def reserve(self, study: StudyKey, trials: int, held_back: bool) -> None:
        """Note that a study asks for trials now, and whether it would have asked for more."""
        if trials:
            use = self._uses.get(study.uid, _Use(study.namespace))
            self._uses[study.uid] = _Use(study.namespace, use.open + trials, use.total + trials)
        if held_back:
            self._waiting[study.uid] = study.namespace
        else:
            self.wait_no_more(study)

    def wait_no_more(self, study: StudyKey) -> None:
        """Leave to others the room that was kept for a study."""
        if self._waiting.pop(study.uid, None) is not None:
            self._wake_waiting()

    def take_stock(self, study: StudyKey, open_trials: int, total: int) -> None:
        """Take a study's trials as they are, in place of what was noted before."""
        before = self._uses.get(study.uid, _Use(study.namespace))
        self._uses[study.uid] = _Use(study.namespace, open_trials, total)
        if open_trials < before.open or total < before.total:
            self._wake_waiting()

    def forget(self, study: StudyKey) -> None:
        """Take a study out that is no longer worked on."""
        self.wait_no_more(study)
        if self._uses.pop(study.uid, None) is not None:
            self._wake_waiting()

    def _allowances(self, study: StudyKey) -> Iterator[Allowance]:
        caps, everyone = self._settings, self._uses
        mine = {uid: use for uid, use in everyone.items() if use.namespace == study.namespace}
        if caps.namespace_trials:
            yield _left(caps.namespace_trials, mine, "total", study.namespace)
        if caps.operator_trials:
            yield _left(caps.operator_trials, everyone, "total")
        if caps.namespace_parallelism:
            left = _left(caps.namespace_parallelism, mine, "open", study.namespace)
            mine_waiting = {uid for uid, namespace in self._waiting.items() if namespace == study.namespace}
            using = {uid for uid, use in mine.items() if use.open}
            used = everyone[study.uid].open if study.uid in everyone else 0
            yield _shared(left, caps.namespace_parallelism, used, study.uid, using, mine_waiting)
        if caps.operator_parallelism:
            left = _left(caps.operator_parallelism, everyone, "open")
            using = {use.namespace for use in everyone.values() if use.open}
            used = sum(use.open for use in mine.values())
            waiting = set(self._waiting.values())
            yield _shared(left, caps.operator_parallelism, used, study.namespace, using, waiting)

    def _wake_waiting(self) -> None:
        for uid in list(self._waiting):
            self._wake(uid)


def _left(cap: int, uses: Mapping[str, _Use], kind: Literal["open", "total"], namespace: str = "") -> Allowance:
    used = sum(getattr(use, kind) for use in uses.values())
    owner = f"the namespace {namespace}" if namespace else "all namespaces of this operator together"
    what = "trials in parallel" if kind == "open" else "trials in the studies that exist"
    return Allowance(max(0, cap - used), f"the operator's administrator allows {owner} {cap} {what}")


def _shared(left: Allowance, cap: int, used: int, me: str, using: set[str], waiting: set[str]) -> Allowance:
    """Who has an equal share already leaves the room to others that wait."""
    others = waiting - {me}
    share = max(1, cap // len(others | using | {me}))
    return Allowance(0, left.cap) if others and used >= share else left
