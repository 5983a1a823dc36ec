"""The handler of studies: it passes on what happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import kopf

from tuning_operator.api.names import GROUP, PLURAL, VERSION
from tuning_operator.cluster.credentials import Credentials
from tuning_operator.handlers.startup import connection_info

Deliver = Callable[[str | None, Mapping[str, Any]], None]
"""Takes the kind of a watch event (None: the object was listed) and the object."""


def studies_registry(deliver: Deliver, load: Callable[[], Credentials]) -> kopf.OperatorRegistry:
    """Return the handlers of one operator; the process-wide registry of kopf stays empty."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def login(**_: Any) -> kopf.ConnectionInfo:
        return connection_info(load())

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
    async def study_event(event: kopf.RawEvent, **_: Any) -> None:
        deliver(event["type"], event["object"])

    return registry
