"""How a request is refused: always with a JSON object whose `error` is a sentence, never with a stack trace."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Awaitable, Callable
from enum import StrEnum

from aiohttp import web

_log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Reason(StrEnum):
    """Why a request was refused; a label of the metric, so the set is closed."""

    FORBIDDEN = "Forbidden"
    TOO_LARGE = "TooLarge"
    TOO_SLOW = "TooSlow"
    TOO_MANY = "TooMany"
    MALFORMED = "Malformed"
    NOT_FOUND = "NotFound"
    NOT_CHOSEN = "NotChosen"
    NOT_OPEN = "NotOpen"
    NOT_ACTIVE = "NotActive"
    STORAGE_UNAVAILABLE = "StorageUnavailable"
    KEYS_UNAVAILABLE = "KeysUnavailable"
    INTERNAL = "Internal"


class Refused(Exception):
    """A request that is not served; `retry_after` in seconds asks the sender to come again."""

    def __init__(self, status: int, reason: Reason, sentence: str, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after

    def response(self) -> web.Response:
        """Return the answer."""
        headers = {} if self.retry_after is None else {"Retry-After": str(max(1, math.ceil(self.retry_after)))}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return error_response(self.status, str(self), headers)


def error_response(status: int, sentence: str, headers: dict[str, str] | None = None) -> web.Response:
    """Return an answer of the form `{"error": sentence}`."""
    body = json.dumps({"error": sentence}).encode()
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what a handler raises into an answer."""
    try:
        return await handler(request)
    except Refused as refusal:
        return refusal.response()
    except web.HTTPException as error:
        kept = {name: value for name, value in error.headers.items() if name == "Allow"}
        return error_response(error.status, f"{error.reason}: {request.method} {request.path[:200]}", kept)
    except Exception as error:  # noqa: BLE001 - the rim: a defect must not end the connection without an answer
        if isinstance(error, ConnectionResetError) and _has_left(request):
            _log.debug("the sender of %s %s left before it was answered", request.method, request.path)
        else:
            _log.exception("%s %s could not be answered", request.method, request.path)
        return error_response(500, "the operator could not serve this request; its log says why")


def _has_left(request: web.Request) -> bool:
    """Return whether nobody waits for an answer any more: a sender's patience may be shorter than an outage."""
    return request.transport is None or request.transport.is_closing()
