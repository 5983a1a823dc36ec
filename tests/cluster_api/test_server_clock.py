"""The time that the operator lives by: the API server's, whatever this machine's clock says."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cluster_api.fake_api_server import FakeApiServer, Fault
from tuning_operator.cluster import paths
from tuning_operator.cluster.client import ClusterClient
from tuning_operator.cluster.server_clock import ServerClock
from tuning_operator.errors import NotFound

TRUTH = 1_800_000_000.4
"""What the API server's clock shows at first, in seconds since 1970."""


class Machine:
    """A machine whose clock is off, and its requests to the API server."""

    def __init__(self, ahead: float = 0.0) -> None:
        self.passed = 0.0
        """Seconds since the beginning."""
        self.clock = ServerClock(lambda: TRUTH + ahead, lambda: 5000.0 + self.passed)

    @property
    def error(self) -> float:
        """By how much the operator's time is ahead of the API server's."""
        return self.clock.now() - (TRUTH + self.passed)

    def request(self, there: float = 0.002, back: float = 0.002) -> None:
        """Ask for something; the way there and the way back take so many seconds."""
        sent = self.clock.ticks()
        self.passed += there
        date = formatdate(TRUTH + self.passed, usegmt=True)
        self.passed += back
        self.clock.hear(date, sent)


@pytest.mark.parametrize("ahead", [86400.0, 3600.0, 3.0, -3.0, -3600.0])
def test_a_machine_whose_clock_is_off_takes_the_api_servers_with_the_first_answer(ahead: float) -> None:
    machine = Machine(ahead)
    assert machine.error == pytest.approx(ahead)
    machine.request()
    assert abs(machine.error) <= 1.01


def test_a_machine_whose_clock_is_right_keeps_its_own_which_is_finer() -> None:
    machine = Machine()
    for _ in range(50):
        machine.passed += 0.37
        machine.request(there=0.2, back=0.9)
    assert machine.error == pytest.approx(0.0, abs=1e-6)


@given(
    st.floats(-1e6, 1e6),
    st.lists(st.tuples(st.floats(0.0, 90.0), st.floats(0.0, 5.0), st.floats(0.0, 5.0)), min_size=1, max_size=20),
)
def test_no_answer_makes_the_time_worse_however_slow_it_is(
    ahead: float, requests: list[tuple[float, float, float]]
) -> None:
    machine = Machine(ahead)
    error = abs(machine.error)
    for pause, there, back in requests:
        machine.passed += pause
        machine.request(there, back)
        assert abs(machine.error) <= min(error, there + back + 1.0) + 1e-3
        error = abs(machine.error)


def test_one_server_or_proxy_whose_clock_is_wrong_moves_nothing() -> None:
    machine = Machine()
    machine.request()
    for _ in range(200):
        machine.passed += 1.0
        machine.clock.hear(formatdate(TRUTH + machine.passed + 7200, usegmt=True), machine.clock.ticks())
        machine.request()
    assert abs(machine.error) <= 1.01


def test_a_clock_that_was_set_is_followed_once_all_answers_have_agreed_for_a_minute() -> None:
    machine = Machine()
    machine.request()
    for second in range(62):
        machine.clock.hear(formatdate(TRUTH + machine.passed + 7200, usegmt=True), machine.clock.ticks())
        assert abs(machine.error - (0 if second < 60 else 7200)) <= 1.01
        machine.passed += 1.0


@pytest.mark.parametrize(
    "date",
    [
        *(None, "", "soon", "Fri, 99 Jan 2027 08:00:00 GMT"),
        *("Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ],
)
def test_an_answer_without_a_time_changes_nothing(date: str | None) -> None:
    machine = Machine(ahead=5.0)
    machine.clock.hear(date, machine.clock.ticks())
    assert machine.error == pytest.approx(5.0)


async def test_every_answer_tells_the_time_refusals_and_watches_too() -> None:
    async with FakeApiServer() as server:
        for kind in ("answer", "refusal", "watch"):
            clock = ServerClock(machine=lambda: 0.0)
            async with ClusterClient(lambda: server.credentials, clock=clock) as client:
                if kind == "answer":
                    await client.request("GET", paths.jobs("team"))
                elif kind == "refusal":
                    server.fail(Fault("GET", 404))
                    with pytest.raises(NotFound):
                        await client.request("GET", paths.jobs("team"))
                else:
                    async with client.stream(paths.jobs("team"), params={"watch": "true"}, silence=5):
                        pass
            assert clock.now() > 1_700_000_000, kind
