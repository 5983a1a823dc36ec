"""Which of several operators is the active one: a coordination.k8s.io Lease.

Clocks of different machines are never compared. A candidate takes a Lease over only after it has seen it unchanged for
its whole duration on its own monotonic clock, and the holder ends itself at its renew deadline, which is shorter.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuning_operator.cluster import paths
from tuning_operator.cluster.answers import RequestRefused
from tuning_operator.cluster.client import ClusterClient
from tuning_operator.cluster.event_recorder import micro_time
from tuning_operator.errors import LeaseLost, NotFound, TuningError
from tuning_operator.fault_points import Point, reach
from tuning_operator.ports import Clock
from tuning_operator.settings import Settings

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Observed:
    """A foreign Lease as it was seen, and since when it has been looking so (monotonic)."""

    version: str
    since: float


class Lease:
    """One candidate: `acquire`, then `hold` until it raises `LeaseLost`, then end the process.

    `client` should be the Lease's alone, so that no other requests delay a renewal, with one attempt per request.
    """

    def __init__(self, client: ClusterClient, settings: Settings, clock: Clock) -> None:
        self._client = client
        self._namespace = settings.lease_namespace
        self._name = settings.lease_name
        self._duration = settings.lease_duration
        self._renew_deadline = settings.lease_renew_deadline
        self._clock = clock
        # Unique, for a container that is restarted in its pod has the same name and another memory.
        self.identity = f"{settings.holder}_{uuid.uuid4().hex[:8]}"
        self._document: dict[str, Any] = {}
        self._observed: _Observed | None = None
        self._renewed_at = float("-inf")
        self.holder = ""
        """Who holds the Lease, as seen last; for logs and probes."""

    @property
    def fencing_number(self) -> int:
        """Grows with each change of the holder; writes that carry a smaller one come from the past."""
        return _transitions(self._document.get("spec") or {})

    @property
    def uid(self) -> str:
        """Tells this release from every other one, in this cluster or another; empty before it is acquired."""
        return str((self._document.get("metadata") or {}).get("uid") or "")

    @property
    def is_held(self) -> bool:
        """Whether this process may still act. A paused process finds out here, before it acknowledges a report."""
        return time.monotonic() - self._renewed_at < self._renew_deadline

    async def acquire(self) -> int:
        """Return the fencing number once this process is the active one; an outage is waited out."""
        complained = ""
        while True:
            try:
                if await self._try():
                    reach(Point.LEASE_TAKEN)
                    _log.info("this operator is the active one: it holds the Lease %s/%s", self._namespace, self._name)
                    return self.fencing_number
            except TuningError as error:
                if str(error) != complained:
                    _log.warning("the Lease %s/%s can't be acquired: %s", self._namespace, self._name, error)
                complained = str(error)
            await asyncio.sleep(self._duration / 6)

    async def hold(self) -> None:
        """Renew until that is not possible any more.

        Raises
        ------
        LeaseLost
            Another operator has it, or the renew deadline passed. This process must end without writing anything.
        """
        while True:
            await asyncio.sleep(self._duration / 3)
            complaint = ""
            try:
                async with asyncio.timeout(self._renewed_at + self._renew_deadline - time.monotonic()):
                    while complaint := await self._renew():
                        _log.warning("the Lease can't be renewed: %s", complaint)
                        await asyncio.sleep(self._duration / 15)
            except TimeoutError:
                words = f"the Lease could not be renewed for {self._renew_deadline:g} s; {complaint}".rstrip("; ")
                raise LeaseLost(words) from None

    async def release(self) -> None:
        """Give the Lease up, so that the next operator need not wait; call it when nothing is written any more."""
        if not self.is_held:
            return
        self._renewed_at = float("-inf")
        spec = {**self._document["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
        try:
            await self._put({**self._document, "spec": {**spec, "renewTime": micro_time(self._clock.now())}})
        except TuningError as error:
            _log.warning("the Lease can't be released, the next operator waits for its end: %s", error)

    async def _try(self) -> bool:
        started = time.monotonic()
        try:
            document = await self._client.request("GET", self._path(), timeout=self._renew_deadline / 2)
        except NotFound:
            return await self._create(started)
        spec = document.get("spec") or {}
        self._see(spec)
        version = document["metadata"]["resourceVersion"]
        if self._observed is None or self._observed.version != version:
            self._observed = _Observed(version, time.monotonic())
        patience = float(spec.get("leaseDurationSeconds") or self._duration)
        is_foreign = self.holder not in ("", self.identity)  # ours: it was taken, and the answer was lost
        if is_foreign and time.monotonic() - self._observed.since < patience:
            return False
        transitions = _transitions(spec) + 1
        return await self._take({**document, "spec": self._spec(transitions)}, started)

    async def _create(self, started: float) -> bool:
        metadata = {"name": self._name, "namespace": self._namespace}
        document = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata}
        try:
            self._document = await self._client.request(
                "POST", self._path(named=False), {**document, "spec": self._spec(1)}, timeout=self._renew_deadline / 2
            )
        except RequestRefused as refused:
            if refused.code != 409:
                raise
            return False
        self._renewed_at = started
        return True

    async def _take(self, document: Mapping[str, Any], started: float) -> bool:
        try:
            await self._put(document)
        except RequestRefused as refused:
            if refused.code != 409:
                raise
            return False  # somebody else was faster, or still renews it
        self._renewed_at = started
        return True

    async def _renew(self) -> str:
        """Renew once; return why it did not work. Raises LeaseLost if another operator has it."""
        started = time.monotonic()
        spec = {**self._document["spec"], "renewTime": micro_time(self._clock.now())}
        try:
            await self._put({**self._document, "spec": spec})
        except RequestRefused as refused:
            if refused.code == 409:
                return await self._look_again()
            return str(refused)
        except NotFound as gone:
            raise LeaseLost(f"the Lease {self._namespace}/{self._name} was deleted") from gone
        except TuningError as error:
            return str(error)
        self._renewed_at = started
        reach(Point.LEASE_RENEWED)
        return ""

    async def _look_again(self) -> str:
        """After a conflict: a renewal that was carried out and not answered, a person's edit, or a takeover."""
        try:
            document = await self._client.request("GET", self._path(), timeout=self._renew_deadline / 2)
        except TuningError as error:
            return str(error)
        self._see(document.get("spec") or {})
        if self.holder != self.identity:
            raise LeaseLost(f"the operator {self.holder or '(nobody)'} holds the Lease now")
        self._document = document
        return "it was changed meanwhile"

    async def _put(self, document: Mapping[str, Any]) -> None:
        # The resourceVersion in the document makes this a compare-and-swap.
        self._document = await self._client.request(
            "PUT", self._path(), document, repeatable=False, timeout=self._renew_deadline / 2
        )

    def _see(self, spec: Mapping[str, Any]) -> None:
        self.holder = str(spec.get("holderIdentity") or "")

    def _spec(self, transitions: int) -> dict[str, Any]:
        now = micro_time(self._clock.now())
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": max(1, round(self._duration)),
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": transitions,
        }

    def _path(self, named: bool = True) -> str:
        path = paths.collection(paths.COORDINATION, "leases", self._namespace)
        return f"{path}/{self._name}" if named else path


def _transitions(spec: Mapping[str, Any]) -> int:
    value = spec.get("leaseTransitions")
    return value if isinstance(value, int) else 0
