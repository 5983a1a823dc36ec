"""Every request that the API server answered, from its audit log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
  - level: Metadata
"""
"""One event per request, when its answer is complete (a watch: when it ends), without bodies."""


@dataclass(frozen=True)
class AuditEvent:
    """One answered request."""

    user: str
    """Who asked, such as `admin` or `system:serviceaccount:<namespace>:<name>`."""
    verb: str
    """Kubernetes' verb: get, list, watch, create, update, patch, delete, deletecollection."""
    resource: str
    """The plural, with the subresource after a slash: `jobs`, `tuningstudies/status`. Empty for /readyz."""
    namespace: str
    name: str
    uri: str
    code: int
    """The HTTP status of the answer."""
    user_agent: str
    received_at: float
    """When the request came, in seconds since 1970."""
    answered_at: float
    """When its answer was complete."""


class AuditLog:
    """Reads the audit log of one control plane; `since` takes what `position` returned earlier."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def position(self) -> int:
        """Where the log ends now, in bytes."""
        return self.path.stat().st_size if self.path.exists() else 0

    def events(self, *, user: str | None = None, since: int = 0) -> Iterator[AuditEvent]:
        """The events from `since` on, in the order in which the requests ended, of one user or of all.

        The server writes an event right after the answer: the last request's event may be some milliseconds late.
        """
        if not self.path.exists():
            return
        with self.path.open("rb") as log:
            log.seek(since)
            for line in log:
                if line.endswith(b"\n"):
                    event = _event(json.loads(line))
                    if user is None or event.user == user:
                        yield event


def _event(entry: dict[str, Any]) -> AuditEvent:
    reference = entry.get("objectRef", {})
    parts = [reference.get("resource", ""), reference.get("subresource", "")]
    return AuditEvent(
        user=entry.get("user", {}).get("username", ""),
        verb=entry["verb"],
        resource="/".join(part for part in parts if part),
        namespace=reference.get("namespace", ""),
        name=reference.get("name", ""),
        uri=entry["requestURI"],
        code=entry.get("responseStatus", {}).get("code", 0),
        user_agent=entry.get("userAgent", ""),
        received_at=_seconds(entry["requestReceivedTimestamp"]),
        answered_at=_seconds(entry["stageTimestamp"]),
    )


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()
