"""Stand-ins for pods' commands, named by `ProcessNode(simulation=...)`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any


async def exit_as_told(pod: Mapping[str, Any], log: Callable[[str], None]) -> int:
    """Ends with the exit code in the pod's args; without one it sleeps until it is deleted."""
    arguments = pod["spec"]["containers"][0].get("args")
    log(f"simulated {pod['metadata']['labels']['run']}")
    if not arguments:
        await asyncio.sleep(3600)
    return int(arguments[0])
