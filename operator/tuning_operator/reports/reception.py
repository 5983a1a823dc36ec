"""What comes before a trial's request is served, whatever it wants.

The credential is checked before anything else, so that a stranger learns nothing, not even which studies exist. Every
refusal means that nothing was stored.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aiohttp import hdrs, web

from tuning_contract import WireError
from tuning_contract.reports import MAX_BODY_BYTES
from tuning_operator.api.trial_template import MAX_RUNS
from tuning_operator.errors import LeaseLost, NotFound, SearchUnavailable, StorageUnavailable
from tuning_operator.metrics.recording import Metrics
from tuning_operator.ports import TrialRepositories, TrialRepository
from tuning_operator.reports.attempt_address import AttemptAddress
from tuning_operator.reports.credentials import is_report_token
from tuning_operator.reports.limits import Admission, Limits
from tuning_operator.reports.refusals import Reason, Refused

if TYPE_CHECKING:  # a run without a cluster does without cryptography
    from tuning_operator.reports.pod_tokens import PodTokens

ATTEMPT_ROUTE = r"/v1/studies/{uid:[A-Za-z0-9._-]{1,128}}/trials/{trial:[0-9]{1,10}}/attempts/{attempt:[0-9]{1,10}}"
"""Below it lies what an attempt may send to. `?run=` says which of several runs sends; `decisions/trial_runs.py` puts
it there."""

_RETRY_NOT_OPEN = 2.0
"""Seconds after which a trial asks again while its study is not loaded: a start takes about as long."""
_RETRY_STORAGE = 5.0
"""Seconds after which a trial asks again while the database is away."""

Gone = Callable[[str], bool]
"""Whether the study with this uid is known to have been deleted; false while that is not known."""
Awaited = Callable[[str], bool]
"""Whether the study with this uid exists or may exist, and is not open: its trials' credentials can't be judged, for
the database may be another one than they were made with."""
Wake = Callable[[str], None]
"""Told the uid of a study that should be looked at now."""
Work = Callable[[AttemptAddress, bytes], Awaitable[bytes]]
"""What serves a body; it returns the answer's, or raises `Refused`, or `WireError` where it can't be read."""


class Reception:
    """Lets in what trials send to the studies that this process has open; one for all that they may send to."""

    def __init__(
        self,
        repositories: TrialRepositories,
        key: bytes,
        gone: Gone,
        awaited: Awaited,
        limits: Limits,
        metrics: Metrics,
        pod_tokens: PodTokens | None = None,
    ) -> None:
        self._repositories = repositories
        self._key = key
        self._gone = gone
        self._awaited = awaited
        self._limits = limits
        self._metrics = metrics
        self._admission = Admission(limits)
        self._pod_tokens = pod_tokens

    async def serve(self, request: web.Request, work: Work) -> web.Response:
        """Serve one POST, and count it where it is refused."""
        try:
            body = await self._understood(request, work)
        except Refused as refusal:
            self._metrics.report_refused(refusal.reason)
            raise
        except Exception:
            self._metrics.report_refused(Reason.INTERNAL)
            raise
        return web.Response(body=body, content_type="application/json")

    def repository(self, attempt: AttemptAddress) -> TrialRepository | None:
        """Return the history of an attempt's study; None: the study was deleted.

        Raises
        ------
        Refused
            The study is not loaded yet, or its namespace's trials send too much.
        """
        repository = self._repositories.find(attempt.uid)
        if repository is not None:
            self._admission.check_namespace(repository.key.namespace)
        elif not self._gone(attempt.uid):
            raise _not_open()
        return repository

    async def _understood(self, request: web.Request, work: Work) -> bytes:
        try:
            return await self._serve(request, work)
        except WireError as error:
            raise Refused(400, Reason.MALFORMED, str(error)) from None

    async def _serve(self, request: web.Request, work: Work) -> bytes:
        path = request.match_info
        attempt = AttemptAddress(path["uid"], int(path["trial"]), int(path["attempt"]), _run(request))
        await self._authenticate(_bearer(request), attempt)
        _check_headers(request)
        with self._admission.admit(attempt, request.content_length):
            return await work(attempt, await self._read(request))

    async def _authenticate(self, token: str, attempt: AttemptAddress) -> None:
        if is_report_token(token, self._key, attempt.uid, attempt.trial, attempt.attempt):
            return  # also where pods have tokens: attempts that started before that was so go on
        if self._pod_tokens is None and self._awaited(attempt.uid):
            raise _not_open()
        if self._pod_tokens is None:
            raise Refused(401, Reason.FORBIDDEN, "the bearer token in `Authorization` is not this attempt's")
        await self._pod_tokens.check(token, attempt)

    async def _read(self, request: web.Request) -> bytes:
        if request.content.is_eof():  # it came with the headers, as small ones do
            return await request.read()
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                return await request.read()
        except TimeoutError:
            sentence = f"the body did not arrive within {self._limits.body_seconds:g} s"
            raise Refused(408, Reason.TOO_SLOW, sentence) from None
        except web.HTTPRequestEntityTooLarge:
            raise _too_large() from None
        except web.RequestPayloadError as error:
            raise Refused(400, Reason.MALFORMED, "the body ended early or is badly encoded") from error


@contextmanager
def refused_by_history(what: str) -> Iterator[None]:
    """Turn what a study's history raises into refusals; `what` could not be stored, where it could not."""
    try:
        yield
    except NotFound as error:
        raise Refused(404, Reason.NOT_FOUND, str(error)) from error
    except (StorageUnavailable, SearchUnavailable, LeaseLost) as error:
        sentence = f"{what} could not be stored now; send the request again"
        raise Refused(503, Reason.STORAGE_UNAVAILABLE, sentence, _RETRY_STORAGE) from error


_RUN = re.compile(r"[0-9]{1,3}")


def _run(request: web.Request) -> int:
    """Return which run sends; what is no number counts as a run that no trial has."""
    text = request.query.get("run", "0")
    return int(text) if _RUN.fullmatch(text) else MAX_RUNS


def _bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _check_headers(request: web.Request) -> None:
    if request.content_length is not None and request.content_length > MAX_BODY_BYTES:
        raise _too_large()
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity") != "identity":
        raise Refused(415, Reason.MALFORMED, "send the body without Content-Encoding; compressed ones are not read")
    if request.content_type != "application/json":
        raise Refused(415, Reason.MALFORMED, "send the header `Content-Type: application/json`")


def _too_large() -> Refused:
    return Refused(413, Reason.TOO_LARGE, f"a body may have at most {MAX_BODY_BYTES} bytes; send fewer reports at once")


def _not_open() -> Refused:
    sentence = "this operator has not loaded the study yet; send the request again"
    return Refused(503, Reason.NOT_OPEN, sentence, _RETRY_NOT_OPEN)
