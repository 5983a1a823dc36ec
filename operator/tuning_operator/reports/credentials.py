"""Credentials that need no table: HMACs of what they allow, with a key that only the operator has."""

from __future__ import annotations

import base64
import hmac
from functools import lru_cache

_REMEMBERED = 8_192
"""Credentials in memory, of the attempts that reported last: making one takes 8 us, and each report needs it."""


@lru_cache(_REMEMBERED)
def report_token(key: bytes, uid: str, trial: int, attempt: int) -> str:
    """Return the credential with which one attempt at one trial reports."""
    return _token(key, f"report\n{uid}\n{trial}\n{attempt}")


def read_token(key: bytes, uid: str) -> str:
    """Return the credential that opens a study's trials for reading."""
    return _token(key, f"read\n{uid}")


def is_report_token(token: str, key: bytes, uid: str, trial: int, attempt: int) -> bool:
    """Whether a token is that of the attempt; takes as long for a wrong one."""
    return _is_same(token, report_token(key, uid, trial, attempt))


def is_read_token(token: str, key: bytes, uid: str) -> bool:
    """Whether a token opens the study; takes as long for a wrong one."""
    return _is_same(token, read_token(key, uid))


def _token(key: bytes, message: str) -> str:
    digest = hmac.digest(key, message.encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _is_same(given: str, expected: str) -> bool:
    # Bytes, because compare_digest raises TypeError on text that is not ASCII, and the given one is anybody's.
    return hmac.compare_digest(given.encode("utf-8", "backslashreplace"), expected.encode())
