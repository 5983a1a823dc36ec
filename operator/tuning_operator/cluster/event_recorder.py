"""Events on studies, posted in the background."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tuning_operator.api.names import API_VERSION, GROUP, KIND
from tuning_operator.cluster import paths
from tuning_operator.cluster.client import ClusterClient
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import TuningError
from tuning_operator.fault_points import Point, reach
from tuning_operator.ports import Clock

_log = logging.getLogger(__name__)

MOST_WAITING = 1000
"""Events that wait to be posted; further ones are dropped."""
QUIET_SECONDS = 60.0
"""Seconds in which a study's Events with the same reason are posted once; the next one says how many there were."""
_LONGEST_NOTE = 1024
"""Bytes that the API server allows in a note."""
_REPORTER = f"{GROUP}/operator"


@dataclass
class _Posted:
    at: float
    more: int = 0


class ClusterEventRecorder:
    """Implements `EventRecorder`. `run` must run for Events to be posted; losing them is no harm."""

    def __init__(self, client: ClusterClient, clock: Clock, identity: str) -> None:
        self._client = client
        self._clock = clock
        self._identity = identity
        self._waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue(MOST_WAITING)
        self._posted: dict[tuple[str, str], _Posted] = {}
        self._complained = False

    def record(self, study: StudyKey, *, warning: bool, reason: str, message: str) -> None:
        """Announce a transition of the study."""
        now = self._clock.now()
        posted = self._posted.get((study.uid, reason))
        if posted is not None and abs(now - posted.at) < QUIET_SECONDS:  # a clock may be set back
            posted.more += 1
            return
        if posted is not None and posted.more:
            message = f"{message} ({posted.more} more since the last such Event)"
        self._posted[study.uid, reason] = _Posted(now)
        try:
            self._waiting.put_nowait(self._event(study, warning, reason, message, now))
        except asyncio.QueueFull:
            fields = {"namespace": study.namespace, "study": study.name}
            _log.debug("an Event of %s is dropped, for too many wait: %s", study, reason, extra=fields)

    async def run(self) -> None:
        """Post Events until cancelled."""
        while True:
            event = await self._waiting.get()
            try:
                await self._post(event)
            finally:
                self._waiting.task_done()
            if self._waiting.empty():
                self._forget_old()

    async def flush(self, seconds: float) -> None:
        """Return when all Events are posted, or after `seconds`."""
        try:
            await asyncio.wait_for(self._waiting.join(), seconds)
        except TimeoutError:
            _log.debug("%d Events are dropped at the end", self._waiting.qsize())

    async def _post(self, event: dict[str, Any]) -> None:
        path = paths.collection(paths.EVENTS, "events", event["metadata"]["namespace"])
        try:
            await self._client.request("POST", path, event)
            reach(Point.EVENT_POSTED)
            self._complained = False
        except TuningError as error:  # a missing study's namespace, a missing right, an outage: none is worth a retry
            level = logging.DEBUG if self._complained else logging.WARNING
            self._complained = True
            study = event["regarding"]
            fields = {"namespace": study["namespace"], "study": study["name"]}
            _log.log(level, "an Event can't be posted: %s", error, extra=fields)

    def _event(self, study: StudyKey, warning: bool, reason: str, message: str, now: float) -> dict[str, Any]:
        regarding = {"apiVersion": API_VERSION, "kind": KIND, "namespace": study.namespace}
        return {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"generateName": f"{study.name}-", "namespace": study.namespace},
            "eventTime": micro_time(now),
            "type": "Warning" if warning else "Normal",
            "reason": reason,
            "action": reason,
            "note": message.encode()[:_LONGEST_NOTE].decode(errors="ignore"),
            "regarding": {**regarding, "name": study.name, "uid": study.uid},
            "reportingController": _REPORTER,
            "reportingInstance": self._identity[:128],
        }

    def _forget_old(self) -> None:
        quiet = self._clock.now() - QUIET_SECONDS
        self._posted = {key: posted for key, posted in self._posted.items() if posted.at > quiet or posted.more}


def micro_time(seconds: float) -> str:
    """Return a Kubernetes MicroTime of seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
