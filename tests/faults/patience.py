"""Waiting for something to break, and asking an API server that another fault may have taken away."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random
from typing import Any

from tests.faults.cluster_view import has_ended
from tests.faults.stage import Stage
from tests.support.api_client import ApiRefused

CHOICE_SECONDS = 15.0
"""How long there may be nothing to break."""


class NotReached(Exception):
    """The fault could not be played as things are: there was nothing to break, or a point was not reached."""


def wait(holds: Callable[[], bool], seconds: float) -> None:
    """Return when something holds; an API server that is away says no. Raises NotReached when it does not in time."""
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


def pick(stage: Stage, chance: Random, collection: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return one of the trials' Jobs or pods. Raises NotReached when there is none within seconds."""
    selector = "?labelSelector=tuning-operator.io/study-uid"
    return _choose(stage, chance, collection.format(stage.namespace) + selector, wanted)


def pick_study(stage: Stage, chance: Random) -> dict[str, Any]:
    """Return a study that has not ended. Raises NotReached when there is none within seconds."""
    return _choose(stage, chance, stage.path(), lambda study: not has_ended(study))


def _choose(stage: Stage, chance: Random, path: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    found: list[dict[str, Any]] = []

    def look() -> bool:
        found[:] = filter(wanted, stage.control_plane.api.get(path)["items"])
        return bool(found)

    wait(look, CHOICE_SECONDS)
    return chance.choice(found)


def delete(stage: Stage, path: str) -> None:
    """Delete an object that may be gone by now."""
    patiently(lambda: stage.control_plane.api.delete(path))


def merge(stage: Stage, path: str, patch: dict[str, Any]) -> None:
    """Change an object that may be gone by now."""
    patiently(lambda: stage.control_plane.api.merge_patch(path, patch))


def patiently(request: Callable[[], object]) -> None:
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
