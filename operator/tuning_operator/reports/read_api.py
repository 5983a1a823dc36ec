"""`GET /v1/studies/{namespace}/{name}/trials` and `…/trials/{number}`: a study's trials for whoever may get the study.

The credential is in the study's status. It travels in a header of its own, because the API server's Service proxy, by
which people come here, keeps `Authorization` for itself. A wrong one is answered 403 whether the study exists or not;
401 would make Kubernetes clients log in again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from aiohttp import web

from tuning_operator.decisions.trials import FinishedTrial, OpenTrial
from tuning_operator.errors import StorageUnavailable
from tuning_operator.ports import TrialRepository
from tuning_operator.reports.credentials import is_read_token
from tuning_operator.reports.limits import Limits
from tuning_operator.reports.refusals import Reason, Refused
from tuning_operator.reports.trial_document import report_document, trial_document

TRIALS_ROUTE = r"/v1/studies/{namespace:[a-z0-9-]{1,63}}/{name:[a-z0-9.-]{1,253}}/trials"
TRIAL_ROUTE = TRIALS_ROUTE + "/{number:[0-9]{1,10}}"

TOKEN_HEADER = "X-Tuning-Read-Token"

MOST_TRIALS = 1_000
"""Most trials on a page."""
DEFAULT_TRIALS = 200
"""Trials on a page where the reader does not say."""

_CHUNK = 100
"""Trials that are written at once: a millisecond of the event loop."""
_WRITE_SECONDS = 60.0
"""Time for a page to be read by its reader."""

FindStudy = Callable[[str, str], tuple[str, TrialRepository] | None]
"""(namespace, name) -> the uid and the history of an open study."""


class ReadApi:
    """Serves the trials of all studies that this process has open."""

    def __init__(self, find_study: FindStudy, key: bytes, limits: Limits) -> None:
        self._find_study = find_study
        self._key = key
        self._places = limits.readers

    async def trials(self, request: web.Request) -> web.StreamResponse:
        """Serve a page: the trials with numbers above `after`, at most `limit`, in the order of their numbers."""
        repository = self._authorized(request)
        after = _integer(request, "after", default=-1, least=-1, most=2**63 - 1)
        limit = _integer(request, "limit", default=DEFAULT_TRIALS, least=1, most=MOST_TRIALS)
        with self._place():
            page = repository.trials(after, limit)
            return await _stream(request, _page_parts(page, limit))

    async def trial(self, request: web.Request) -> web.StreamResponse:
        """Serve one trial with its reports."""
        repository = self._authorized(request)
        number = int(request.match_info["number"])
        found = repository.trials(number - 1, 1)
        if not found or found[0].number != number:
            raise Refused(404, Reason.NOT_FOUND, f"the study has no trial {number}")
        with self._place():
            body = await asyncio.to_thread(_trial_body, repository, found[0])
        return web.Response(body=body, content_type="application/json")

    def _authorized(self, request: web.Request) -> TrialRepository:
        found = self._find_study(request.match_info["namespace"], request.match_info["name"])
        uid = "" if found is None else found[0]
        if not is_read_token(request.headers.get(TOKEN_HEADER, ""), self._key, uid) or found is None:
            sentence = (
                f"`{TOKEN_HEADER}` must be the `status.readToken` of this study, and the study must be running here"
            )
            raise Refused(403, Reason.FORBIDDEN, sentence)
        return found[1]

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._places <= 0:
            raise Refused(429, Reason.TOO_MANY, "too many readers at once; try again", retry_after=1.0)
        self._places -= 1
        try:
            yield
        finally:
            self._places += 1


async def _stream(request: web.Request, parts: Iterator[bytes]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    try:
        async with asyncio.timeout(_WRITE_SECONDS):
            await response.prepare(request)
            for part in parts:
                await response.write(part)
            await response.write_eof()
    except (TimeoutError, ConnectionError):
        # The head is out: all that can be said now is the end of the connection.
        if request.transport is not None:
            request.transport.abort()
    return response


def _page_parts(page: Sequence[OpenTrial | FinishedTrial], limit: int) -> Iterator[bytes]:
    """Yield `{"trials": […], "next": number or null}` in parts."""
    yield b'{"trials": ['
    for start in range(0, len(page), _CHUNK):
        documents = [json.dumps(trial_document(trial), allow_nan=False) for trial in page[start : start + _CHUNK]]
        yield (("," if start else "") + ",".join(documents)).encode()
    following = page[-1].number if len(page) == limit else None
    yield f'], "next": {json.dumps(following)}}}'.encode()


def _trial_body(repository: TrialRepository, trial: OpenTrial | FinishedTrial) -> bytes:
    try:
        reports = repository.reports(trial.number)
    except StorageUnavailable as error:
        sentence = "the reports could not be read now; try again"
        raise Refused(503, Reason.STORAGE_UNAVAILABLE, sentence, retry_after=5.0) from error
    document = {**trial_document(trial), "reports": [report_document(report) for report in reports]}
    return json.dumps(document, allow_nan=False).encode()


def _integer(request: web.Request, name: str, *, default: int, least: int, most: int) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    sentence = f"`{name}` must be a whole number from {least} to {most}"
    try:
        value = int(text)
    except ValueError:
        raise Refused(400, Reason.MALFORMED, sentence) from None
    if not least <= value <= most:
        raise Refused(400, Reason.MALFORMED, sentence)
    return value
