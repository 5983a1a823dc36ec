"""What one client, one trial and one study may take of the operator, so that none can starve the others."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tuning_contract.reports import MAX_BODY_BYTES
from tuning_operator.reports.attempt_address import AttemptAddress
from tuning_operator.reports.refusals import Reason, Refused

_MOST_KEYS = 10_000
"""Entries of a rate limit at which those that limit nothing any more are dropped."""


@dataclass(frozen=True)
class Limits:
    """The limits of the HTTP surface. A trial that meets one is asked to come again and loses nothing: what it
    reports meanwhile goes out together."""

    connections: int = 5_000
    """Open connections; each running trial keeps one. The process's limit of open files may lower it."""

    header_seconds: float = 10.0
    """Time for a new connection's first request line and headers."""

    body_seconds: float = 10.0
    """Time for a body to arrive: 256 KiB at 26 kB/s."""

    linger_seconds: float = 5.0
    """Time in which the rest of a refused body is thrown away, so that its sender gets to read the refusal."""

    keep_alive_seconds: float = 300.0
    """Time between two requests of a connection, after which it is closed; an epoch is often shorter."""

    attempt_rate: float = 100.0
    """Requests per second that one attempt may send for long: a hundred times what a training loop needs."""

    attempt_burst: int = 500
    """Requests that one attempt may send at once."""

    study_rate: float = 5_000.0
    """Requests per second that one study may send for long, somewhat more than one operator is built for."""

    study_burst: int = 10_000
    """Requests that one study may send at once."""

    namespace_rate: float = 0.0
    """Requests per second that all studies of a namespace may send for long; 0: no limit of its own."""

    attempt_in_flight: int = 16
    """Unanswered requests of one attempt; the SDK has one, the folds of a cross-validation share the attempt."""

    in_flight: int = 2_000
    """Unanswered requests of all studies: twice the running trials that one operator is built for."""

    bytes_in_flight: int = 64 * 1024 * 1024
    """Bytes of bodies in memory."""

    forwarded: int = 256
    """Requests that a standby has passed on and that are not answered; each holds its body."""

    readers: int = 8
    """Requests of the read API under way; each may hold a thread or some hundred kilobytes."""


class RateLimit:
    """A token bucket for each key, kept as one number: when the bucket will be full (GCRA, ITU-T I.371)."""

    def __init__(self, rate: float, burst: int) -> None:
        self._interval = 1.0 / rate
        self._tolerance = (burst - 1) / rate
        self._full_at: dict[Hashable, float] = {}

    @property
    def remembered(self) -> int:
        """How many keys are in memory."""
        return len(self._full_at)

    def wait(self, key: Hashable, now: float) -> float:
        """Count a request; return 0, or the seconds after which it would be allowed and then count nothing."""
        full_at = max(self._full_at.get(key, now), now)
        excess = full_at - now - self._tolerance
        if excess > 1e-9:  # whatever floats lose
            return excess
        if len(self._full_at) >= _MOST_KEYS:
            self._full_at = {key: when for key, when in self._full_at.items() if when > now}
        self._full_at[key] = full_at + self._interval
        return 0.0


class Admission:
    """Decides whether a report's request may be worked on now."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._attempt_rate = RateLimit(limits.attempt_rate, limits.attempt_burst)
        self._study_rate = RateLimit(limits.study_rate, limits.study_burst)
        rate = limits.namespace_rate
        self._namespace_rate = RateLimit(rate, max(1, round(2 * rate))) if rate else None
        self._in_flight: Counter[Hashable] = Counter()
        self._total = 0
        self._bytes = 0

    @contextmanager
    def admit(self, attempt: AttemptAddress, size: int | None) -> Iterator[None]:
        """Hold a place for a request with a body of `size` bytes; None: not known before it is read.

        Raises
        ------
        Refused
            There is no place now: status 429.
        """
        size = MAX_BODY_BYTES if size is None else size
        self._check_places(attempt, size)
        self._check_rates(attempt)
        self._in_flight[attempt] += 1
        self._total += 1
        self._bytes += size
        try:
            yield
        finally:
            self._bytes -= size
            self._total -= 1
            self._in_flight[attempt] -= 1
            if not self._in_flight[attempt]:
                del self._in_flight[attempt]

    def check_namespace(self, namespace: str) -> None:
        """Count a request of a namespace's trials.

        Raises
        ------
        Refused
            They send too many: status 429.
        """
        if self._namespace_rate is None:
            return
        if seconds := self._namespace_rate.wait(namespace, self._clock()):
            cap = f"{self._limits.namespace_rate:g} requests per second (namespaceReportRate)"
            raise _too_many(f"the trials of the namespace {namespace} together report more than {cap}", seconds)

    def _check_places(self, attempt: AttemptAddress, size: int) -> None:
        limits = self._limits
        if self._in_flight[attempt] >= limits.attempt_in_flight:
            raise _too_many("this attempt has too many unanswered requests; send one after the other")
        if self._total >= limits.in_flight or self._bytes + size > limits.bytes_in_flight:
            raise _too_many("the operator is busy with other trials' reports")

    def _check_rates(self, attempt: AttemptAddress) -> None:
        now = self._clock()
        if seconds := self._attempt_rate.wait(attempt, now):
            raise _too_many("this attempt reports too often; put several reports into one request", seconds)
        if seconds := self._study_rate.wait(attempt.uid, now):
            raise _too_many("this study's trials report too often", seconds)


def _too_many(sentence: str, seconds: float = 1.0) -> Refused:
    return Refused(429, Reason.TOO_MANY, sentence, retry_after=seconds)
