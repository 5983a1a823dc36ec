"""ServiceAccount tokens of pods, verified without asking the API server: with the keys that it publishes.

A pod gets such a token as a file (`decisions/report_access.py`). It names the pod, and the pod's name begins with the
name of its Job, which is the attempt's own. So a token serves one attempt, whoever may read the pod's object learns
nothing, and it expires within the hour.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from tuning_operator.api.names import job_name
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import TuningError
from tuning_operator.ports import TokenIssuer
from tuning_operator.reports.attempt_address import AttemptAddress
from tuning_operator.reports.limits import RateLimit
from tuning_operator.reports.refusals import Reason, Refused

_log = logging.getLogger(__name__)

ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")
"""Signatures with public keys, as Kubernetes makes them: no HMAC, and not `none`."""
LEEWAY_SECONDS = 10.0
"""By how much clocks may differ."""
VERIFICATIONS = 500
"""Tokens per second that are verified for long: each takes some tenths of a millisecond, and anybody can send one.
Those that were verified before, so the running trials', are not among them."""
FETCH_SECONDS = 10.0
"""Between two requests for keys: a stranger's token names any key, and must not make us ask each time."""
FRESH_SECONDS = 3600.0
"""After which keys are asked for again although all are known: those taken out of use are forgotten."""
FETCH_TIMEOUT = 5.0
"""Seconds that reports wait for keys."""
_MOST_REMEMBERED = 20_000
"""Verified tokens in memory, some 1.5 KB each; ten times the trials that one operator is built for."""
_GENERATED_NAME, _SUFFIX = 58, re.compile(r"[a-z0-9]{5}")
"""Kubernetes cuts what it makes a pod's name of at so many characters, and adds five random ones."""

FindStudy = Callable[[str], StudyKey | None]
"""uid -> the study, None for one that is not worked on here."""


@dataclass(frozen=True)
class Pod:
    """Whom a verified token is of."""

    namespace: str
    name: str
    expires: float
    """Seconds since 1970."""


class PodTokens:
    """Checks that a bearer token is that of a pod of an attempt's Job.

    `fetch` asks the API server for the keys, `audience` is whom the tokens must be for; `clock` returns seconds since
    1970 as the API server sees them, which wrote the tokens' times, and may jump; `ticks` never does.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[TokenIssuer]],
        audience: str,
        find_study: FindStudy,
        clock: Callable[[], float],
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._audience = audience
        self._find_study = find_study
        self._clock = clock
        self._ticks = ticks
        self._issuer = ""
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._asked_at = self._fresh_until = float("-inf")
        self._trouble = ""
        self._asking = asyncio.Lock()
        self._verified: dict[str, Pod] = {}
        self._verifications = RateLimit(VERIFICATIONS, 4 * VERIFICATIONS)

    async def check(self, token: str, attempt: AttemptAddress) -> None:
        """Return if the token is that of the attempt's run.

        A token of a study that is not worked on here only has to be some pod's: its trials are told to come again, or
        that the study is gone.

        Raises
        ------
        Refused
            401: the token is not valid (now); 403: it is another pod's; 429: too many new tokens at once; 503: the keys
            can't be read.
        """
        pod = self._verified.get(token)
        if pod is None or pod.expires + LEEWAY_SECONDS <= self._clock():
            pod = await self._verify(token)
        study = self._find_study(attempt.uid)
        if study is not None and not is_pod_of(pod, study, attempt):
            sentence = f"the token is that of the pod {pod.namespace}/{pod.name}, which does not run this attempt"
            raise Refused(403, Reason.FORBIDDEN, sentence)

    async def _verify(self, token: str) -> Pod:
        if seconds := self._verifications.wait("", self._ticks()):
            raise Refused(429, Reason.TOO_MANY, "too many new tokens at once; send the reports again", seconds)
        try:
            key = await self._key(jwt.get_unverified_header(token).get("kid"))
            claims = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self._audience,
                issuer=self._issuer,
                # It would compare the times with the machine's clock.
                options={"require": ["exp"], "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise _unauthorized(f"it is not accepted ({error})") from error
        pod, begins = _pod_of(claims)
        now = self._clock()
        if not begins <= now + LEEWAY_SECONDS:
            raise _unauthorized("it is not yet valid")
        if not now < pod.expires + LEEWAY_SECONDS:
            raise _unauthorized("it has expired")
        if len(self._verified) >= _MOST_REMEMBERED:
            self._verified.clear()
        self._verified[token] = pod
        return pod

    async def _key(self, name: str | None) -> jwt.PyJWK:
        if name not in self._keys or self._ticks() >= self._fresh_until:
            async with self._asking:
                await self._refresh(name)
        if name in self._keys:
            return self._keys[name]
        if self._trouble:
            sentence = "the token can't be checked now, for the API server's keys can't be read; send the reports again"
            raise Refused(503, Reason.KEYS_UNAVAILABLE, sentence, FETCH_SECONDS)
        raise _unauthorized("the API server publishes no key of the name that signed it")

    async def _refresh(self, name: str | None) -> None:
        now = self._ticks()
        known = name in self._keys and now < self._fresh_until  # somebody else has asked meanwhile
        if known or now < self._asked_at + FETCH_SECONDS:
            return
        self._asked_at = now
        try:
            async with asyncio.timeout(FETCH_TIMEOUT):
                issuer = await self._fetch()
            self._keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(dict(issuer.keys)).keys}
            self._issuer, self._fresh_until, self._trouble = issuer.name, now + FRESH_SECONDS, ""
        except (TuningError, TimeoutError, jwt.PyJWTError) as error:
            self._trouble = str(error) or type(error).__name__
            _log.warning("the keys of ServiceAccount tokens can't be read: %s", self._trouble)


def _pod_of(claims: Mapping[str, Any]) -> tuple[Pod, float]:
    """Return whom a token is of, and when it begins to be valid, in seconds since 1970."""
    try:
        about = claims["kubernetes.io"]
        begins = max(float(claims.get(claim, "-inf")) for claim in ("nbf", "iat"))
        return Pod(str(about["namespace"]), str(about["pod"]["name"]), float(claims["exp"])), begins
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _unauthorized("it is not bound to a pod") from error


def is_pod_of(pod: Pod, study: StudyKey, attempt: AttemptAddress) -> bool:
    """Whether a pod is one that the Job controller made for the attempt's Job, and for that run where it has several.

    Then the pod's name has the run's number in it. What reports without one reports for run 0. Of the longest names the
    last digits are cut off, so that they tell a study's trials from a million on no more apart.
    """
    job = job_name(study.name, study.uid, attempt.trial, attempt.attempt)
    of_one, of_several = f"{job}-"[:_GENERATED_NAME], _indexed_name(job, attempt.run)
    bases = (of_one, of_several) if attempt.run == 0 else (of_several,)
    is_generated = any(pod.name.startswith(base) and _SUFFIX.fullmatch(pod.name[len(base) :]) for base in bases)
    return is_generated and pod.namespace == study.namespace


def _indexed_name(job: str, run: int) -> str:
    index = f"-{run}-"
    return job[: _GENERATED_NAME - len(index)] + index


def _unauthorized(why: str) -> Refused:
    return Refused(401, Reason.FORBIDDEN, f"the ServiceAccount token in `Authorization` does not open this: {why}")
