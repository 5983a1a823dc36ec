"""Events of a study on a real API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.fakes import FakeClock
from tests.support.control_plane import ControlPlane
from tuning_operator.cluster.client import ClusterClient
from tuning_operator.cluster.event_recorder import QUIET_SECONDS, ClusterEventRecorder
from tuning_operator.decisions.snapshot import StudyKey


@pytest.fixture
def clock() -> FakeClock:
    """A clock that the tests move."""
    return FakeClock()


@pytest.fixture
async def recorder(client: ClusterClient, clock: FakeClock) -> AsyncIterator[ClusterEventRecorder]:
    """A recorder that posts."""
    recorder = ClusterEventRecorder(client, clock, "operator-0")
    task = asyncio.create_task(recorder.run())
    yield recorder
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_transition_becomes_an_event_of_the_study(
    recorder: ClusterEventRecorder, namespace: str, control_plane: ControlPlane
) -> None:
    recorder.record(_study(namespace), warning=True, reason="TrialFailed", message="trial 3 failed")
    await recorder.flush(30)
    (event,) = _events(control_plane, namespace)
    assert (event["type"], event["reason"], event["note"]) == ("Warning", "TrialFailed", "trial 3 failed")
    assert event["regarding"]["name"] == "digits"


async def test_the_same_reason_within_a_minute_is_one_event(
    recorder: ClusterEventRecorder, namespace: str, control_plane: ControlPlane, clock: FakeClock
) -> None:
    study = _study(namespace)
    for trial in range(5):
        recorder.record(study, warning=True, reason="TrialFailed", message=f"trial {trial} failed")
    clock.advance(QUIET_SECONDS)
    recorder.record(study, warning=True, reason="TrialFailed", message="trial 5 failed")
    await recorder.flush(30)
    notes = sorted(event["note"] for event in _events(control_plane, namespace))
    assert notes == ["trial 0 failed", "trial 5 failed (4 more since the last such Event)"]


async def test_different_reasons_are_different_events(
    recorder: ClusterEventRecorder, namespace: str, control_plane: ControlPlane
) -> None:
    for reason in ("Accepted", "Complete"):
        recorder.record(_study(namespace), warning=False, reason=reason, message="")
    await recorder.flush(30)
    assert sorted(event["reason"] for event in _events(control_plane, namespace)) == ["Accepted", "Complete"]


async def test_a_long_message_is_cut_where_the_api_server_wants_it(
    recorder: ClusterEventRecorder, namespace: str, control_plane: ControlPlane
) -> None:
    recorder.record(_study(namespace), warning=False, reason="Accepted", message="ü" * 2000)
    await recorder.flush(30)
    (event,) = _events(control_plane, namespace)
    assert len(event["note"].encode()) == 1024


async def test_an_event_that_is_refused_does_not_stop_the_next(
    recorder: ClusterEventRecorder, namespace: str, control_plane: ControlPlane, caplog: pytest.LogCaptureFixture
) -> None:
    recorder.record(_study("no-such-namespace"), warning=False, reason="Accepted", message="")
    recorder.record(_study(namespace), warning=False, reason="Complete", message="")
    await recorder.flush(30)
    assert [event["reason"] for event in _events(control_plane, namespace)] == ["Complete"]
    assert "an Event can't be posted" in caplog.text


def _study(namespace: str) -> StudyKey:
    return StudyKey(namespace, "digits", f"uid-of-{namespace}")


def _events(control_plane: ControlPlane, namespace: str) -> list[Any]:
    items: list[Any] = control_plane.api.get(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")["items"]
    return items
