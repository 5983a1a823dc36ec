"""Which credential opens what."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuning_operator.reports.credentials import is_read_token, is_report_token, read_token, report_token

KEY = b"k" * 32
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
uids = st.text(alphabet="abc-\n0123", max_size=8)
numbers = st.integers(0, 120)


@unhurried
@given(st.tuples(uids, numbers, numbers), st.tuples(uids, numbers, numbers))
def test_a_report_token_is_that_of_one_attempt(one: tuple[str, int, int], other: tuple[str, int, int]) -> None:
    assert is_report_token(report_token(KEY, *one), KEY, *other) == (one == other)


@unhurried
@given(uids, uids)
def test_a_read_token_opens_one_study(one: str, other: str) -> None:
    assert is_read_token(read_token(KEY, one), KEY, other) == (one == other)


def test_tokens_of_one_purpose_do_not_serve_the_other() -> None:
    assert not is_read_token(report_token(KEY, "u", 1, 1), KEY, "u")
    assert not is_report_token(read_token(KEY, "u\n1\n1"), KEY, "u", 1, 1)


def test_another_key_makes_other_tokens() -> None:
    assert not is_report_token(report_token(b"x" * 32, "u", 1, 1), KEY, "u", 1, 1)


@unhurried
@given(st.text())
def test_any_text_can_be_checked(token: str) -> None:
    assert not is_report_token(token, KEY, "u", 1, 1)


def test_a_token_fits_into_a_header_and_a_command_line() -> None:
    token = report_token(KEY, "u", 1, 1)
    assert len(token) == 43
    assert token.replace("-", "").replace("_", "").isalnum()
