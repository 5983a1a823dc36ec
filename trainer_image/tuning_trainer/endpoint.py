"""The operator's endpoints, as seen from a trial: each a keep-alive HTTP connection."""

from __future__ import annotations

import http.client
import json
import ssl
from abc import ABC, abstractmethod
from collections.abc import Set
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import urlsplit

from tuning_contract import ParameterReply, ReportReply, TrialEnvironmentError, WireError

Reply = TypeVar("Reply")

_RETRIED = frozenset({408, 425, 429})
_RETRIED_WITH_TOKEN_FILE = _RETRIED | {401}
"""A token that expired a moment ago is about to be replaced in its file."""
_LONGEST_REPLY = 64 * 1024
_LONGEST_RETRY_AFTER = 300.0
"""Seconds; a longer Retry-After would outlast the flush at exit."""


class EndpointUnavailable(Exception):
    """The request should be repeated, after `retry_after` seconds where the server named them."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class _ConnectionLost(EndpointUnavailable):
    """There was no answer at all."""


class RequestRefused(Exception):
    """The server will never take this request; the message is its sentence."""


class Endpoint(ABC, Generic[Reply]):
    """Posts bodies to one URL. Not thread-safe: one thread uses it. HTTP proxies are ignored on purpose.

    Parameters
    ----------
    url, token
        Where to post, and the bearer credential.
    token_file
        File to read the credential from instead, for each request: the kubelet replaces it before it expires.
    ca
        Certificates (PEM) that the server's own is checked against; None: those that the machine trusts.
    timeout
        Seconds for a connection, and for an answer.

    Raises
    ------
    TrialEnvironmentError
        The URL, the token or the certificates cannot be used.
    """

    _variable: str
    """Where the URL comes from."""

    def __init__(
        self,
        url: str,
        token: str | None = None,
        timeout: float = 30.0,
        *,
        token_file: str | None = None,
        ca: str | None = None,
    ) -> None:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise TrialEnvironmentError(f"{self._variable} is {url!r}: {error}") from None
        if parts.scheme not in ("http", "https") or not host:
            raise TrialEnvironmentError(f"{self._variable} is {url!r}, which is not an http or https address")
        if token is not None and not _is_header_text(token):
            raise TrialEnvironmentError("TUNING_REPORT_TOKEN holds characters that no HTTP header can carry")
        self._connection = (
            http.client.HTTPSConnection(host, port, timeout=timeout, context=_trusting(ca))
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=timeout)
        )
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._token = token
        self._token_file = None if token_file is None else Path(token_file)

    @staticmethod
    @abstractmethod
    def _read(body: bytes) -> Reply:
        """Parse the operator's answer."""

    def post(self, body: bytes) -> Reply:
        """Send one body and return the operator's answer.

        Raises
        ------
        EndpointUnavailable
            There was no usable answer, or one that asks to come again.
        RequestRefused
            The answer says that the request is wrong.
        """
        reused = self._connection.sock is not None
        try:
            return self._exchange(body)
        except _ConnectionLost:
            if not reused:
                raise
            return self._exchange(body)  # the server had closed the idle connection; requests may be repeated

    def close(self) -> None:
        self._connection.close()

    def _exchange(self, body: bytes) -> Reply:
        try:
            self._connection.request("POST", self._path, body=body, headers=self._headers())
            response = self._connection.getresponse()
            answer = response.read(_LONGEST_REPLY)
            if not response.isclosed():
                self._connection.close()
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            self._connection.close()
            raise _ConnectionLost(f"{type(error).__name__}: {error}") from error
        try:
            _check(response, answer, _RETRIED if self._token_file is None else _RETRIED_WITH_TOKEN_FILE)
            return self._understood(response.status, answer)
        except EndpointUnavailable:
            self._connection.close()  # behind the same address another replica may be the active one
            raise

    def _understood(self, status: int, answer: bytes) -> Reply:
        try:
            return self._read(answer)
        except WireError as error:
            raise EndpointUnavailable(f"status {status}, but {error}") from error

    def _headers(self) -> dict[str, str]:
        token = self._token if self._token_file is None else self._token_file.read_text().strip()
        if token is None:
            return {"Content-Type": "application/json"}
        if not _is_header_text(token):
            raise EndpointUnavailable(f"{self._token_file} holds characters that no HTTP header can carry")
        return {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}


class ReportEndpoint(Endpoint[ReportReply]):
    """Where batches of reports go."""

    _variable = "TUNING_REPORT_URL"
    _read = staticmethod(ReportReply.from_json)


class ParameterEndpoint(Endpoint[ParameterReply]):
    """Where parameters are asked for."""

    _variable = "TUNING_PARAMETER_URL"
    _read = staticmethod(ParameterReply.from_json)


def _is_header_text(token: str) -> bool:
    return token.isascii() and token.isprintable()


def _trusting(ca: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=ca)
    except (ssl.SSLError, ValueError, TypeError) as error:  # TypeError: it is not ASCII
        raise TrialEnvironmentError(f"TUNING_REPORT_CA holds no certificate that can be read: {error}") from None


def _check(response: http.client.HTTPResponse, answer: bytes, retried: Set[int]) -> None:
    """Raise what an answer means that is no success."""
    status = response.status
    if 200 <= status < 300:
        return
    sentence = f"status {status}: {_sentence(answer) or response.reason}"
    if status >= 500 or status in retried:
        raise EndpointUnavailable(sentence, _seconds(response.getheader("Retry-After")))
    raise RequestRefused(sentence)


def _sentence(answer: bytes) -> str:
    """Return what the server says for people: the `error` or `message` of a JSON object, else the text."""
    text = answer.decode("utf-8", "replace").strip()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict):
        text = str(document.get("error") or document.get("message") or text)
    return text[:500]


def _seconds(header: str | None) -> float | None:
    """Return a Retry-After in seconds, None for the form with a date, which needs clocks that agree."""
    if header is None or not header.strip().isdecimal():
        return None
    return min(float(header), _LONGEST_RETRY_AFTER)
