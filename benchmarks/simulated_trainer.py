"""What a trial pod does, for the price of a coroutine: it waits, reports, and tells its end to the operator.

The process node runs `train` in place of pods' commands. A pod without a trial's environment only waits.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from tuning_contract import FinalState, Report, ReportBatch, TrialEnd, TrialEnvironment

SECONDS_VARIABLE = "BENCHMARK_SECONDS"
"""JSON: the shortest and the longest time of a trial; each takes another one between them."""
QUICK_VARIABLE = "BENCHMARK_QUICK"
"""How many of a study's first trials are in a hurry: they take a fifth of the time, and are there to have been."""
ENDS_VARIABLE = "BENCHMARK_ENDS"
"""File that gets a line for each trial: seconds since 1970 at which its last message was sent."""

_RETRIES = 20


async def train(pod: Mapping[str, Any], log: Callable[[str], None]) -> int:
    """Run a pod; return its exit code."""
    container = pod["spec"]["containers"][0]
    variables = {entry["name"]: entry.get("value", "").replace("$$", "$") for entry in container["env"]}
    shortest, longest = json.loads(variables[SECONDS_VARIABLE])
    name = pod["metadata"]["name"]
    chance = random.Random(hashlib.sha256(name.encode()).digest())
    environment = TrialEnvironment.read(variables)
    is_quick = environment is not None and environment.trial < int(variables.get(QUICK_VARIABLE, 0))
    await asyncio.sleep(chance.uniform(shortest, longest) / (5 if is_quick else 1))
    sent_at = time.time()
    if environment is not None:
        end = ReportBatch((Report(1, {"score": chance.random()}),), TrialEnd(FinalState.COMPLETE))
        await _post(environment, end.to_json())
    if ENDS_VARIABLE in variables:
        _note_end(Path(variables[ENDS_VARIABLE]), sent_at)
    log(f"ended at {sent_at}")
    return 0


def _note_end(file: Path, sent_at: float) -> None:
    with file.open("a") as lines:
        lines.write(f"{sent_at}\n")


async def _post(environment: TrialEnvironment, body: bytes) -> None:
    assert environment.report_url is not None
    headers = {"Authorization": f"Bearer {environment.report_token}", "Content-Type": "application/json"}
    for attempt in range(_RETRIES):
        async with aiohttp.ClientSession(headers=headers) as session:
            try:
                async with session.post(environment.report_url, data=body) as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
        await asyncio.sleep(0.05 * (attempt + 1))
    raise RuntimeError(f"trial {environment.trial} could not tell its end")


def read_ends(file: Path) -> list[float]:
    """Return when the trials' last messages were sent, in order."""
    return sorted(float(line) for line in file.read_text().splitlines())
