"""What can break, each as a context manager: entering it breaks something, leaving it lets it heal.

The tests play each of them alone, and `make chaos` plays them in random sequences.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from random import Random
from typing import Any

from tests.faults.cluster_view import JOBS, PODS, has_ended, is_active, name_of
from tests.faults.stage import LEASE, Stage
from tests.support.api_client import ApiRefused
from tests.support.components import API_SERVER, CONTROLLER_MANAGER, ETCD
from tests.support.fault_proxy import Answer, Behaviour, Cut, Delay, Hang, LoseAnswer, Rule
from tuning_operator.fault_points import Point

Fault = Callable[[Stage, Random], AbstractContextManager[None]]

WRITES = ("POST", "PUT", "PATCH", "DELETE")
ONCE = (Point.STUDY_STORED, Point.LEASE_TAKEN, Point.ATTEMPT_STORED, Point.JOB_DELETED)
"""Points that a process may reach only once."""
AFTER_SUSPENSION = (Point.ATTEMPT_STORED, Point.JOB_DELETED)
"""Points that a study reaches, for certain, only when it is suspended."""
REACH_SECONDS = 30.0
"""How long an armed operator has to come to its fault point."""


class NotReached(Exception):
    """The fault could not be played as things are: there was nothing to break, or a point was not reached."""


# The operator


def killed_after(point: Point) -> Fault:
    """Kill the operator right after a side effect."""

    @contextmanager
    def fault(stage: Stage, chance: Random) -> Iterator[None]:
        restarts = stage.deployment.restarts

        def has_died() -> bool:
            return stage.deployment.restarts >= restarts + 2

        stage.operator.arm(f"kill:{point}:{1 if point in ONCE else chance.randint(1, 2)}")
        stage.operator.crash()
        if point in AFTER_SUSPENSION:
            _suspend_until(has_died, stage, chance)
        _wait(has_died, REACH_SECONDS)
        yield

    return fault


@contextmanager
def operator_killed(stage: Stage, chance: Random) -> Iterator[None]:
    """Kill it wherever it is."""
    stage.operator.crash()
    yield


@contextmanager
def operator_terminated(stage: Stage, chance: Random) -> Iterator[None]:
    """End it in order, as a rollout does."""
    stage.operator.terminate()
    yield


@contextmanager
def operator_frozen(stage: Stage, chance: Random) -> Iterator[None]:
    """Stop it for longer than its Lease lasts; then it goes on where it was."""
    stage.operator.freeze()
    try:
        time.sleep(4.5)
        yield
    finally:
        stage.operator.thaw()


@contextmanager
def two_operators(stage: Stage, chance: Random) -> Iterator[None]:
    """A second operator stands by, and takes over when the first one freezes; then that one wakes up."""
    stage.deployment.scale(2)
    try:
        second = stage.deployment.operators[1]
        _wait(lambda: "tuning_active_leader" in _metrics(second), 30)
        stage.operator.freeze()
        _wait(lambda: "tuning_active_leader 1.0" in _metrics(second), 30)
        stage.operator.thaw()
        yield
    finally:
        stage.operator.thaw()
        stage.deployment.scale(1)


def clock_jumps(seconds: float) -> Fault:
    """Set the operator's clock, and later set it right."""

    @contextmanager
    def fault(stage: Stage, chance: Random) -> Iterator[None]:
        stage.operator.shift_clock(seconds)
        try:
            yield
        finally:
            stage.operator.shift_clock(0)

    return fault


# The control plane


def component_killed(name: str) -> Fault:
    """Kill a part of the control plane, and start it again."""

    @contextmanager
    def fault(stage: Stage, chance: Random) -> Iterator[None]:
        stage.control_plane.kill(name)
        try:
            time.sleep(1)
            yield
        finally:
            stage.control_plane.restart(name)

    return fault


@contextmanager
def api_server_frozen(stage: Stage, chance: Random) -> Iterator[None]:
    """Nobody answers, and no connection ends."""
    stage.control_plane.component(API_SERVER).pause()
    try:
        yield
    finally:
        stage.control_plane.component(API_SERVER).resume()


def api_behaves(behaviour: Behaviour, **which: Any) -> Fault:
    """Let requests of the operator to the API server fare in another way."""

    @contextmanager
    def fault(stage: Stage, chance: Random) -> Iterator[None]:
        rule = stage.api_proxy.add(Rule(behaviour, **which))
        try:
            yield
        finally:
            stage.api_proxy.remove(rule)

    return fault


def watches(act: Callable[[Stage], int]) -> Fault:
    """Do something to all open watches of the operator."""

    @contextmanager
    def fault(stage: Stage, chance: Random) -> Iterator[None]:
        _wait(lambda: act(stage) > 0, 30)
        yield

    return fault


def watches_told(code: int) -> Fault:
    """Send an ERROR event into the watches, as the API server does when a version is too old."""
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code}
    event = {"type": "ERROR", "object": {**status, "reason": "Expired", "message": "the fault proxy says so"}}
    return watches(lambda stage: stage.api_proxy.send_into_streams(json.dumps(event).encode()))


# Reports and storage


def reports_behave(behaviour: Behaviour) -> Fault:
    """Let reports of trials fare in another way."""

    @contextmanager
    def fault(stage: Stage, chance: Random) -> Iterator[None]:
        rule = stage.service.add(Rule(behaviour))
        try:
            yield
        finally:
            stage.service.remove(rule)

    return fault


@contextmanager
def database_away(stage: Stage, chance: Random) -> Iterator[None]:
    """Take the database away, and bring it back."""
    stage.database.take_away()
    try:
        time.sleep(1)
        yield
    finally:
        stage.database.bring_back()


# What people and clusters do


@contextmanager
def job_deleted(stage: Stage, chance: Random) -> Iterator[None]:
    """Somebody deletes the Job of a running trial."""
    job = _pick(stage, chance, JOBS, is_active)
    _delete(stage, f"{JOBS.format(stage.namespace)}/{name_of(job)}")
    yield


@contextmanager
def pod_deleted(stage: Stage, chance: Random) -> Iterator[None]:
    """Somebody deletes the pod of a running trial."""
    pod = _pick(stage, chance, PODS, _is_running)
    _delete(stage, f"{PODS.format(stage.namespace)}/{name_of(pod)}")
    yield


@contextmanager
def pod_evicted(stage: Stage, chance: Random) -> Iterator[None]:
    """A node is drained."""
    pod = _pick(stage, chance, PODS, _is_running)
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name_of(pod)}}
    with suppress(ApiRefused):  # it has just ended
        stage.control_plane.api.create(f"{PODS.format(stage.namespace)}/{name_of(pod)}/eviction", body)
    yield


@contextmanager
def node_killed(stage: Stage, chance: Random) -> Iterator[None]:
    """The node loses its power; it comes back, and its pods' processes do not."""
    stage.node.kill()
    try:
        time.sleep(0.5)
        yield
    finally:
        stage.node.start()


@contextmanager
def quota_refuses(stage: Stage, chance: Random) -> Iterator[None]:
    """The namespace's quota has no room for a Job."""
    quotas = f"/api/v1/namespaces/{stage.namespace}/resourcequotas"
    quota = {"metadata": {"name": "full"}, "spec": {"hard": {"count/jobs.batch": "0"}}}
    stage.control_plane.api.create(quotas, quota)
    try:
        yield
    finally:
        _delete(stage, f"{quotas}/full")


@contextmanager
def annotations_poisoned(stage: Stage, chance: Random) -> Iterator[None]:
    """Somebody writes rubbish into the annotations of a study and of a trial's Job, and takes the Job's label away."""
    rubbish = {"kopf.zalando.org/last-handled-configuration": "{", "tuning-operator.io/study": "{{{"}
    study = _pick_study(stage, chance)
    _merge(stage, stage.path(name_of(study)), {"metadata": {"annotations": rubbish}})
    job = _pick(stage, chance, JOBS, is_active)
    _merge(stage, f"{JOBS.format(stage.namespace)}/{name_of(job)}", {"metadata": {"annotations": rubbish}})
    yield


@contextmanager
def suspended(stage: Stage, chance: Random) -> Iterator[None]:
    """Somebody suspends a study, and resumes it."""
    with _suspended(stage, name_of(_pick_study(stage, chance)), chance.choice(("Terminate", "Drain"))):
        yield


@contextmanager
def study_deleted(stage: Stage, chance: Random) -> Iterator[None]:
    """Somebody deletes a study that runs."""
    _delete(stage, stage.path(name_of(_pick_study(stage, chance))))
    yield


@contextmanager
def lease_deleted(stage: Stage, chance: Random) -> Iterator[None]:
    """Somebody deletes the Lease."""
    _delete(stage, LEASE.format(stage.namespace))
    yield


NOT_LEASES = r"^(?!.*/leases)"
"""For outages that the operator is to live through: without its Lease it ends, and starts again."""

FAULTS: dict[str, Fault] = {
    **{f"operator killed after {point}": killed_after(point) for point in Point},
    "operator killed": operator_killed,
    "operator terminated": operator_terminated,
    "operator frozen": operator_frozen,
    "two operators": two_operators,
    "clock an hour ahead": clock_jumps(3600),
    "clock an hour behind": clock_jumps(-3600),
    "API server killed": component_killed(API_SERVER),
    "etcd killed": component_killed(ETCD),
    "controller manager killed": component_killed(CONTROLLER_MANAGER),
    "API server frozen": api_server_frozen,
    "API answers 401": api_behaves(Answer(401)),
    "API answers 403": api_behaves(Answer(403), path=NOT_LEASES),
    "API answers 409": api_behaves(Answer(409), methods=WRITES),
    "API answers 410": api_behaves(Answer(410), methods=("GET",), path=NOT_LEASES),
    "API answers 429": api_behaves(Answer(429, retry_after=1)),
    "API answers 500": api_behaves(Answer(500)),
    "API answers 504": api_behaves(Answer(504)),
    "API answers lost": api_behaves(LoseAnswer(), methods=WRITES),
    "API connections cut": api_behaves(Cut()),
    "API requests hang": api_behaves(Hang()),
    "API requests late": api_behaves(Delay(1.0)),
    "watches ended": watches(lambda stage: stage.api_proxy.end_streams()),
    "watches silenced": watches(lambda stage: stage.api_proxy.silence_streams()),
    "watches told 410": watches_told(410),
    "watches told 500": watches_told(500),
    "report answers lost": reports_behave(LoseAnswer()),
    "report connections cut": reports_behave(Cut()),
    "reports hang": reports_behave(Hang()),
    "database away": database_away,
    "Job deleted": job_deleted,
    "pod deleted": pod_deleted,
    "pod evicted": pod_evicted,
    "node killed": node_killed,
    "quota refuses Jobs": quota_refuses,
    "annotations poisoned": annotations_poisoned,
    "study suspended": suspended,
    "study deleted": study_deleted,
    "Lease deleted": lease_deleted,
}
"""Every kind by its name."""


@contextmanager
def _suspended(stage: Stage, name: str, mode: str) -> Iterator[None]:
    _merge(stage, stage.path(name), {"spec": {"suspend": {"enabled": True, "mode": mode}}})
    try:
        yield
    finally:
        _merge(stage, stage.path(name), {"spec": {"suspend": {"enabled": False}}})


def _suspend_until(holds: Callable[[], bool], stage: Stage, chance: Random) -> None:
    """Suspend and resume a study whose Jobs run; an earlier suspension may have left it without."""
    for _ in range(5):
        study = _pick(stage, chance, JOBS, is_active)["metadata"]["annotations"]["tuning-operator.io/study"]
        with _suspended(stage, study, "Terminate"), suppress(NotReached):
            _wait(holds, 6)
            return


def _pick(stage: Stage, chance: Random, collection: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return one of the trials' Jobs or pods. Raises NotReached when there is none within seconds."""
    selector = "?labelSelector=tuning-operator.io/study-uid"
    found: list[dict[str, Any]] = []

    def look() -> bool:
        found[:] = filter(wanted, stage.control_plane.api.get(collection.format(stage.namespace) + selector)["items"])
        return bool(found)

    _wait(look, 15)
    return chance.choice(found)


def _pick_study(stage: Stage, chance: Random) -> dict[str, Any]:
    found: list[dict[str, Any]] = []

    def look() -> bool:
        studies = stage.control_plane.api.get(stage.path())["items"]
        found[:] = [study for study in studies if not has_ended(study)]
        return bool(found)

    _wait(look, 15)
    return chance.choice(found)


def _is_running(pod: dict[str, Any]) -> bool:
    return pod.get("status", {}).get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]


def _wait(holds: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not _holds(holds):
        if time.monotonic() > deadline:
            raise NotReached
        time.sleep(0.05)


def _holds(holds: Callable[[], bool]) -> bool:
    try:
        return holds()
    except (ApiRefused, OSError):
        return False


def _metrics(operator: Any) -> str:
    return str(operator.metrics())


def _delete(stage: Stage, path: str) -> None:
    """Delete an object that may be gone by now."""
    _patiently(lambda: stage.control_plane.api.delete(path))


def _merge(stage: Stage, path: str, patch: dict[str, Any]) -> None:
    """Change an object that may be gone by now."""
    _patiently(lambda: stage.control_plane.api.merge_patch(path, patch))


def _patiently(request: Callable[[], object]) -> None:
    """Repeat a request until the API server answers: another fault may be under way."""
    deadline = time.monotonic() + 60
    while True:
        try:
            request()
            return
        except ApiRefused as refused:
            if refused.status < 500 or time.monotonic() > deadline:
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.2)
