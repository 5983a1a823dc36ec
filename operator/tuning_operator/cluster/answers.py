"""What the API server answered: documents, warnings, and refusals as exceptions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuning_operator.errors import ClusterUnavailable, Forbidden, NotFound, TuningError

_WARNING = re.compile(r'^\d{3} \S+ "((?:[^"\\]|\\.)*)"')
"""A Warning header: code, agent, quoted text (RFC 7234, section 5.5)."""
_LONGEST_MESSAGE = 2000
"""Characters of a server's message that are kept; validation of a pod template can list a hundred fields."""


class RequestRefused(TuningError):
    """The API server understood the request and will not do it: 409, 410, 422 and the like."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        """HTTP status."""


@dataclass(frozen=True)
class Answer:
    """A successful answer."""

    document: dict[str, Any]
    warnings: tuple[str, ...] = ()
    """What the server warned of, for people."""


@dataclass(frozen=True)
class Received:
    """What came back for one attempt."""

    status: int
    """HTTP status; 0: no answer came, and `body` says why."""
    body: bytes
    retry_after: float | None = None
    """Seconds that the server asks to wait."""
    warnings: tuple[str, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Whether the server did what it was asked for."""
        return 0 < self.status < 400

    @property
    def was_not_handled(self) -> bool:
        """Whether the server certainly did nothing, so that any request may be repeated."""
        return self.status == 429

    @property
    def is_outage(self) -> bool:
        """Whether the server may do better the next time."""
        return self.status in (0, 429) or self.status >= 500

    def answer(self) -> Answer:
        """Return a success.

        Raises
        ------
        ClusterUnavailable
            The body is no JSON object.
        """
        return Answer(parse_document(self.body), self.warnings)

    def refusal(self) -> TuningError:
        """Return the exception for anything else; its sentence is the server's own."""
        if self.status == 0:
            return ClusterUnavailable(f"the API server does not answer: {self.body.decode(errors='replace')}")
        message = _status_message(self.body) or f"the API server answered {self.status}"
        if self.status == 403:
            return Forbidden(message)
        if self.status == 404:
            return NotFound(message)
        if self.status == 401:
            return ClusterUnavailable(f"the API server does not accept the credentials: {message}")
        if self.is_outage:
            return ClusterUnavailable(f"the API server answered {self.status}: {message}")
        return RequestRefused(self.status, message)


def parse_document(body: bytes) -> dict[str, Any]:
    """Return a JSON object.

    Raises
    ------
    ClusterUnavailable
        It is none: something between here and the API server answered in its stead.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ClusterUnavailable(f"the API server answered with something that is no JSON object: {body[:80]!r}")
    return document


def parse_warnings(headers: Sequence[str]) -> tuple[str, ...]:
    """Return the texts of Warning headers, without repetitions."""
    found = (_WARNING.match(header) for header in headers)
    texts = (match.group(1).replace('\\"', '"').replace("\\\\", "\\") for match in found if match)
    return tuple(dict.fromkeys(texts))


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a Retry-After header; None without one, and for one that names a date."""
    text = headers.get("Retry-After", "")
    return float(text) if re.fullmatch(r"[0-9]{1,6}", text) else None


def _status_message(body: bytes) -> str:
    try:
        message = parse_document(body).get("message")
    except ClusterUnavailable:
        message = body.decode(errors="replace").strip()
    return message[:_LONGEST_MESSAGE] if isinstance(message, str) else ""
