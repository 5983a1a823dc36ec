"""What a `FaultProxy` does to which requests."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from aiohttp import web


@dataclass(frozen=True)
class Answer:
    """The proxy answers in the server's place, which never sees the request."""

    status: int
    retry_after: int | None = None
    """Seconds."""


@dataclass(frozen=True)
class Cut:
    """The connection ends before the request reaches the server."""


@dataclass(frozen=True)
class LoseAnswer:
    """The server does what it is asked for, and the connection ends before its answer comes."""


@dataclass(frozen=True)
class Delay:
    """The request waits before it is passed on."""

    seconds: float


@dataclass(frozen=True)
class Hang:
    """Nobody answers until the rule is removed, as when the other side of a connection has vanished."""


Behaviour = Answer | Cut | LoseAnswer | Delay | Hang


@dataclass
class Rule:
    """What happens to which requests."""

    behaviour: Behaviour
    path: str = ""
    """A regular expression that is searched in the path; everything matches the empty one."""
    methods: Collection[str] = ()
    """Empty: all."""
    watches: bool | None = None
    """Whether only watches are meant, or all but watches; None: both."""
    times: int | None = None
    """How many requests it happens to; None: until the rule is removed."""
    hits: int = field(default=0, init=False)
    """Requests that it happened to."""

    def takes(self, request: web.Request) -> bool:
        """Whether it happens to this request too; counts it."""
        meant = (not self.methods or request.method in self.methods) and re.search(self.path, request.path)
        wanted = self.watches is None or self.watches == is_watch(request)
        if not (meant and wanted) or (self.times is not None and self.hits >= self.times):
            return False
        self.hits += 1
        return True


def is_watch(request: web.Request) -> bool:
    """Whether a request is answered with a stream of events."""
    return request.query.get("watch", "").lower() in ("1", "true")
