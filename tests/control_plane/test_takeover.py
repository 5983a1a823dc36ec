"""Two operators on PostgreSQL: one is killed, paused or replaced under load, and the other goes on."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator

import pytest

from tests.chart.helm import Helm
from tests.control_plane.operator_process import InstalledOperator, wait_for
from tests.control_plane.replicas import Replicas, replicas
from tests.control_plane.reporters import Reporters
from tests.control_plane.studies import Studies
from tests.support.control_plane import ControlPlane
from tests.support.fixtures import own_database
from tests.support.process_node import ProcessNode

pytestmark = [pytest.mark.timeout(300), pytest.mark.postgresql]

FINISHED, RUNNING, RATE = 1_000, 10, 100
"""Finished and running trials, and reports per second."""


@pytest.fixture(scope="module")
def running(
    control_plane: ControlPlane,
    process_node: ProcessNode,
    helm: Helm,
    studies: Studies,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Replicas]:
    """A study of which some trials run, and whatever operators the tests leave."""
    folder = tmp_path_factory.mktemp("replicas")
    with own_database() as url, replicas(control_plane, helm, studies.namespace, folder, url) as made:
        made.make_study(FINISHED, RUNNING)
        yield made


@pytest.fixture
def release(running: Replicas) -> Replicas:
    """Two operators, the first of which is active."""
    running.make_pair()
    return running


def test_a_standby_takes_over_from_a_killed_operator(release: Replicas) -> None:
    first, second = release.operators
    with release.reporters(RATE) as reporters:
        wait_flowing(reporters)
        killed_at = time.monotonic()
        first.kill()
        release.leave_service(first)
        release.wait_active(second)
        print(f"\nkilled at {FINISHED} finished trials: the standby acts after {time.monotonic() - killed_at:.1f} s")
        wait_flowing(reporters)
    print(f"no report was acknowledged for {reporters.longest_gap():.1f} s")
    assert release.lost(reporters.acknowledged) == set()
    assert "Traceback" not in second.log_file.read_text()


def test_a_paused_operator_that_wakes_after_the_takeover_writes_nothing(release: Replicas) -> None:
    first, second = release.operators
    release.query("ALTER TABLE tuning_reports ADD written_by TEXT DEFAULT current_setting('application_name')")
    with release.reporters(RATE) as reporters:
        wait_flowing(reporters)
        first.pause()
        release.wait_active(second)
        taken_over_at, audited = time.time(), release.control_plane.audit_log.position()
        first.resume()
        wait_for(lambda: not first.running, 30, lambda: f"the paused operator goes on; its log:\n{first.log()}")
        wait_flowing(reporters)
    assert release.lost(reporters.acknowledged) == set()
    written = "SELECT count(*) FROM tuning_reports WHERE written_by = %s AND received_at > %s"
    assert release.query(written, first.name, taken_over_at) == [(0,)]
    assert release.query(written, second.name, taken_over_at) != [(0,)]
    changes = [
        event
        for event in release.control_plane.audit_log.events(user=first.user, since=audited)
        if event.user_agent == first.user_agent
        and event.verb not in ("get", "list", "watch")
        and event.received_at > taken_over_at
    ]
    assert [(event.verb, event.resource, event.code) for event in changes if event.code < 400] == []


def test_no_acknowledged_report_is_lost_while_all_operators_are_replaced(release: Replicas) -> None:
    with release.reporters(RATE) as reporters:
        wait_flowing(reporters)
        for old in tuple(release.operators):
            print(f"\n{old.user_agent} took {release.replace(old):.1f} s to leave")
        wait_for(lambda: any(new.is_active() for new in release.operators[2:]), 60, lambda: "nobody acts")
        wait_flowing(reporters)
    gap, wait = reporters.longest_gap(), max(reporters.waits())
    print(f"{len(reporters.acknowledged)} reports; none was acknowledged for {gap:.2f} s, one waited {wait:.2f} s")
    assert release.lost(reporters.acknowledged) == set()
    assert not any("Traceback" in operator.log_file.read_text() for operator in release.operators)


def test_trials_are_read_through_either_operator(release: Replicas, studies: Studies) -> None:
    wait_for(lambda: "readToken" in studies.status("history"), 60, lambda: "there is no status")
    token = studies.status("history")["readToken"]
    path = f"/v1/studies/{release.study.namespace}/{release.study.name}/trials?limit=1000"
    numbers = [[trial["number"] for trial in read(operator, path, token)] for operator in release.operators]
    assert numbers[0] == numbers[1]
    assert len(numbers[0]) >= 100


def wait_flowing(reporters: Reporters) -> None:
    """Wait until reports have been acknowledged for a second's worth from now on."""
    count = len(reporters.acknowledged) + 2 * RATE
    wait_for(lambda: len(reporters.acknowledged) >= count, 60, lambda: "no report is acknowledged any more")


def read(operator: InstalledOperator, path: str, token: str) -> list[dict[str, int]]:
    """Read trials from one operator."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{operator.report_port}{path}", headers={"X-Tuning-Read-Token": token}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        trials: list[dict[str, int]] = json.loads(answer.read())["trials"]
        return trials
