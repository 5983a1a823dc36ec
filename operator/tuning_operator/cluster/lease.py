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
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tuning_operator.cluster import lease_document, paths
from tuning_operator.cluster.answers import RequestRefused
from tuning_operator.cluster.client import ClusterClient
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
        self._loss: LeaseLost | None = None
        self._lost = asyncio.Event()
        self.holder = ""
        """Who holds the Lease, as seen last; for logs and probes."""
        self.holder_address = ""
        """Base URL of another holder's report endpoint, as seen last; empty when nobody else is known."""
        self.address = ""
        """Base URL of this process's own report endpoint, for others to see while it holds the Lease."""

    @property
    def uid(self) -> str:
        """Tells this release from every other one, in this cluster or another; empty before it is acquired."""
        return str((self._document.get("metadata") or {}).get("uid") or "")

    @property
    def is_held(self) -> bool:
        """Whether this process may still act. A paused process finds out here, before it acknowledges a report."""
        return self._loss is None and time.monotonic() - self._renewed_at < self._renew_deadline

    def lose(self, error: LeaseLost) -> None:
        """Hold the Lease no more, for it turned out that another operator acts; `hold` raises the error."""
        self._loss = error
        self._lost.set()

    def check_held(self) -> None:
        """Raise `LeaseLost` unless this process may still act."""
        if not self.is_held:
            raise LeaseLost("this operator does not hold the Lease any more")

    async def acquire(self) -> None:
        """Return once this process is the active one; an outage is waited out."""
        complained = ""
        while True:
            try:
                if await self._try():
                    reach(Point.LEASE_TAKEN)
                    _log.info("this operator is the active one: it holds the Lease %s/%s", self._namespace, self._name)
                    return
            except TuningError as error:
                if str(error) != complained:
                    _log.warning("the Lease %s/%s can't be acquired: %s", self._namespace, self._name, error)
                complained = str(error)
            await asyncio.sleep(self._duration / 15)

    async def follow(self) -> None:
        """Keep `holder` and `holder_address` up to date without wanting the Lease, until cancelled."""
        while True:
            with suppress(TuningError):
                self._see(await self._get())
            await asyncio.sleep(self._duration / 30)

    async def hold(self) -> None:
        """Renew until that is not possible any more.

        Raises
        ------
        LeaseLost
            Another operator has it, or the renew deadline passed. This process must end without writing anything.
        """
        while True:
            await self._pause(self._duration / 3)
            complaint = ""
            try:
                async with asyncio.timeout(self._renewed_at + self._renew_deadline - time.monotonic()):
                    while complaint := await self._renew():
                        _log.warning("the Lease can't be renewed: %s", complaint)
                        await asyncio.sleep(self._duration / 15)
            except TimeoutError:
                words = f"the Lease could not be renewed for {self._renew_deadline:g} s; {complaint}".rstrip("; ")
                raise LeaseLost(words) from None

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._lost.wait()
        if self._loss is not None:
            raise self._loss

    async def release(self) -> None:
        """Give the Lease up, so that the next operator need not wait; call it when nothing is written any more."""
        if not self.is_held:
            return
        self._renewed_at = float("-inf")
        try:
            await self._put(lease_document.released(self._document, self._clock.now()))
        except TuningError as error:
            _log.warning("the Lease can't be released, the next operator waits for its end: %s", error)

    async def _try(self) -> bool:
        started = time.monotonic()
        try:
            document = await self._get()
        except NotFound:
            return await self._create(started)
        self._see(document)
        version = document["metadata"]["resourceVersion"]
        if self._observed is None or self._observed.version != version:
            self._observed = _Observed(version, time.monotonic())
        patience = lease_document.duration(document, self._duration)
        is_foreign = self.holder not in ("", self.identity)  # ours: it was taken, and the answer was lost
        if is_foreign and time.monotonic() - self._observed.since < patience:
            return False
        return await self._take(self._claim(document), started)

    async def _create(self, started: float) -> bool:
        metadata = {"name": self._name, "namespace": self._namespace}
        document = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata}
        path, claim = self._path(named=False), self._claim(document)
        try:
            self._document = await self._client.request("POST", path, claim, timeout=self._renew_deadline / 2)
        except RequestRefused as refused:
            if refused.code != 409:
                raise
            return False
        return self._won(started)

    async def _take(self, document: Mapping[str, Any], started: float) -> bool:
        try:
            await self._put(document)
        except RequestRefused as refused:
            if refused.code != 409:
                raise
            return False  # somebody else was faster, or still renews it
        return self._won(started)

    def _won(self, started: float) -> bool:
        self._renewed_at = started
        self._see(self._document)
        return True

    async def _renew(self) -> str:
        """Renew once; return why it did not work. Raises LeaseLost if another operator has it."""
        started = time.monotonic()
        try:
            await self._put(lease_document.renewed(self._document, self._clock.now()))
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
            document = await self._get()
        except TuningError as error:
            return str(error)
        self._see(document)
        if self.holder != self.identity:
            raise LeaseLost(f"the operator {self.holder or '(nobody)'} holds the Lease now")
        self._document = document
        return "it was changed meanwhile"

    async def _put(self, document: Mapping[str, Any]) -> None:
        # The resourceVersion in the document makes this a compare-and-swap.
        self._document = await self._client.request(
            "PUT", self._path(), document, repeatable=False, timeout=self._renew_deadline / 2
        )

    async def _get(self) -> dict[str, Any]:
        return await self._client.request("GET", self._path(), timeout=self._renew_deadline / 2)

    def _see(self, document: Mapping[str, Any]) -> None:
        self.holder = lease_document.holder(document)
        is_foreign = self.holder not in ("", self.identity)
        self.holder_address = lease_document.address(document) if is_foreign else ""

    def _claim(self, document: Mapping[str, Any]) -> dict[str, Any]:
        candidate = lease_document.Candidate(self.identity, self.address, self._duration)
        return lease_document.claimed(document, candidate, self._clock.now())

    def _path(self, named: bool = True) -> str:
        path = paths.collection(paths.COORDINATION, "leases", self._namespace)
        return f"{path}/{self._name}" if named else path
