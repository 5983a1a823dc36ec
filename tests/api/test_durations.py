"""Durations as Kubernetes writes them."""

from __future__ import annotations

import pytest

from tuning_operator.api.durations import seconds_of


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [
        ("90s", 90),
        ("6h", 21_600),
        ("1h30m", 5400),
        ("1h0m5s", 3605),
        ("0h1s", 1),
        ("99999h99999m99999s", 366_096_339),
    ],
)
def test_durations_are_read(duration: str, seconds: int) -> None:
    assert seconds_of(duration) == seconds


@pytest.mark.parametrize("duration", ["", "s", "90", "1m1h", "1.5h", "-1s", "1 h", "1d", "90s\n", "٣s", "100000h"])
def test_what_is_no_duration_is_refused(duration: str) -> None:
    with pytest.raises(ValueError, match="is not a duration; write hours, minutes and seconds"):
        seconds_of(duration)


@pytest.mark.parametrize("duration", ["0s", "0h0m", "000m"])
def test_no_time_at_all_is_refused(duration: str) -> None:
    with pytest.raises(ValueError, match="is no time at all"):
        seconds_of(duration)


def test_the_longest_duration_fits_kubernetes_seconds() -> None:
    assert seconds_of("99999h99999m99999s") < 2**31
