"""The API server, its watches, the way of the reports and the database go away, refuse or hang."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

from tests.faults.patience import wait
from tests.faults.stage import Fault, Stage
from tests.support.components import API_SERVER
from tests.support.fault_rules import Behaviour, Rule


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
        wait(lambda: act(stage) > 0, 30)
        yield

    return fault


def watches_told(code: int) -> Fault:
    """Send an ERROR event into the watches, as the API server does when a version is too old."""
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code}
    event = {"type": "ERROR", "object": {**status, "reason": "Expired", "message": "the fault proxy says so"}}
    return watches(lambda stage: stage.api_proxy.send_into_streams(json.dumps(event).encode()))


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
