from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.trainer.fake_operator import FakeOperator
from tests.trainer.scripts import Script
from tuning_contract import FinalState, TrialEnd
from tuning_trainer.backoff import Backoff
from tuning_trainer.endpoint import ReportEndpoint
from tuning_trainer.sender import ReportSender

OpenEndpoint = Callable[..., ReportEndpoint]
OpenSender = Callable[..., ReportSender]
QUICK = Backoff(first=0.01, ceiling=0.05)


@pytest.fixture
def operator() -> Iterator[FakeOperator]:
    with FakeOperator() as running:
        yield running


@pytest.fixture
def open_endpoint(operator: FakeOperator) -> Iterator[OpenEndpoint]:
    """Opens endpoints, by default of the fake operator, that are closed after the test."""
    opened = []

    def open_one(url: str = operator.url, token: str | None = "token", **trust: str) -> ReportEndpoint:
        opened.append(ReportEndpoint(url, token, **trust))  # type: ignore[arg-type]
        return opened[-1]

    yield open_one
    for endpoint in opened:
        endpoint.close()


@pytest.fixture
def open_sender(operator: FakeOperator) -> Iterator[OpenSender]:
    """Opens senders to the fake operator whose threads end after the test."""
    opened = []

    def open_one(backoff: Backoff = QUICK) -> ReportSender:
        opened.append(ReportSender(ReportEndpoint(operator.url, "token"), backoff))
        return opened[-1]

    yield open_one
    for sender in opened:
        sender.end(TrialEnd(FinalState.COMPLETE))
        sender.flush(60)


@pytest.fixture
def script(operator: FakeOperator, tmp_path: Path) -> Script:
    """A script whose trial reports to the fake operator."""
    return Script(tmp_path / "train.py", operator.url)
