"""What a trial pod does in the fault suite, for the price of a coroutine: it reports, step by step, as the SDK would.

The process node runs `train` in place of pods' commands. Every acknowledgement is written down, after it came: what
the operator has once acknowledged must be in its storage for ever.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tuning_contract import ExitCode, FinalState, Report, ReportBatch, ReportReply, TrialEnd, TrialEnvironment

PLAN_VARIABLE = "TRAINER_PLAN"
"""JSON of a `TrainerPlan`."""
METRIC = "score"
STEP = "epoch"
"""What a printed line has besides the metric."""

_REQUEST_SECONDS = 5.0
_PATIENCE_SECONDS = 240.0
"""How long an attempt tries to deliver a report; the SDK's own patience is as long."""


@dataclass(frozen=True)
class TrainerPlan:
    """How the pods of a study behave."""

    acknowledgements: str
    """File that gets a line of JSON for each acknowledged report."""
    steps: int = 3
    seconds: float = 0.15
    """Between two reports."""
    failing: float = 0.0
    """Part of the attempts that exit with 1 on their way."""
    prints: bool = False
    """Whether they know nothing of reports and print their scores, which the operator finds in their logs."""


@dataclass(frozen=True)
class Acknowledged:
    """A report, or an attempt's last message, that the operator took and answered with `stop: false`."""

    study_uid: str
    trial: int
    attempt: int
    step: int | None = None
    """None: the last message."""
    value: float | None = None


async def train(pod: Mapping[str, Any], log: Callable[[str], None]) -> int:
    """Run a pod; return its exit code."""
    variables = {entry["name"]: entry.get("value", "").replace("$$", "$") for entry in _container(pod)["env"]}
    environment, plan = TrialEnvironment.read(variables), TrainerPlan(**json.loads(variables[PLAN_VARIABLE]))
    assert environment is not None
    chance = random.Random(hashlib.sha256(pod["metadata"]["name"].encode()).digest())
    fails_at = chance.randint(1, plan.steps) if chance.random() < plan.failing else 0
    x = float(environment.parameters["x"])
    if plan.prints:
        return await _print(x, environment.attempt, plan, fails_at, chance, log)
    async with _Reporter(environment, Path(plan.acknowledgements), log) as reporter:
        for step in range(1, plan.steps + 1):
            await asyncio.sleep(plan.seconds * chance.uniform(0.5, 1.5))
            if step == fails_at:
                return 1
            reply = await reporter.report(step, score(x, environment.attempt, step))
            if reply is None:
                return ExitCode.REPORTS_LOST
            if reply.stop:
                return await reporter.end(FinalState.PRUNED) if reply.reason == "Pruned" else 0
        return await reporter.end(FinalState.COMPLETE)


async def _print(
    x: float, attempt: int, plan: TrainerPlan, fails_at: int, chance: random.Random, log: Callable[[str], None]
) -> int:
    for step in range(1, plan.steps + 1):
        await asyncio.sleep(plan.seconds * chance.uniform(0.5, 1.5))
        if step == fails_at:
            return 1
        log(f"{STEP}={step} {METRIC}={score(x, attempt, step)!r}")
    return 0


def score(x: float, attempt: int, step: int) -> float:
    """Return what an attempt reports at a step; the attempt is in it, so that a mixed-up one is seen."""
    return round(x * (1 - 0.5**step), 6) + attempt * 1e-9


def read_acknowledgements(file: Path) -> list[Acknowledged]:
    """Return what was acknowledged so far."""
    if not file.exists():
        return []
    lines = file.read_text().split("\n")
    return [Acknowledged(**json.loads(line)) for line in lines[:-1]]  # the last one may still be on its way


class _Reporter:
    """Sends an attempt's messages until they are acknowledged."""

    def __init__(self, environment: TrialEnvironment, file: Path, log: Callable[[str], None]) -> None:
        self._environment = environment
        self._file = file
        self._log = log
        assert environment.report_url is not None
        self._url = environment.report_url
        found = re.search(r"/studies/([^/]+)/", self._url)
        assert found is not None
        self._study_uid = found[1]

    async def __aenter__(self) -> _Reporter:
        headers = {"Authorization": f"Bearer {self._environment.report_token}", "Content-Type": "application/json"}
        limits = aiohttp.ClientTimeout(total=_REQUEST_SECONDS)
        self._session = aiohttp.ClientSession(headers=headers, timeout=limits)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def report(self, step: int, value: float) -> ReportReply | None:
        """Return the answer; None: it could not be delivered."""
        reply = await self._deliver(ReportBatch((Report(step, {METRIC: value}),)))
        if reply is not None and not reply.stop:
            self._note(step, value)
        return reply

    async def end(self, state: FinalState) -> int:
        """Send the last message; return the exit code."""
        reply = await self._deliver(ReportBatch(end=TrialEnd(state)))
        if reply is None:
            return ExitCode.REPORTS_LOST
        if not reply.stop and state is FinalState.COMPLETE:
            self._note()
        return 0

    async def _deliver(self, batch: ReportBatch) -> ReportReply | None:
        deadline = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
        pause = 0.1
        while asyncio.get_running_loop().time() < deadline:
            try:
                async with self._session.post(self._url, data=batch.to_json()) as answer:
                    if answer.status == 200:
                        return ReportReply.from_json(await answer.read())
                    if answer.status < 500 and answer.status not in (408, 429):
                        self._log(f"refused: {answer.status} {await answer.text()}")
                        return None
            except (TimeoutError, aiohttp.ClientError, OSError):
                pass
            await asyncio.sleep(pause)
            pause = min(2 * pause, 1.0)
        return None

    def _note(self, step: int | None = None, value: float | None = None) -> None:
        environment = self._environment
        line = Acknowledged(self._study_uid, environment.trial, environment.attempt, step, value)
        with self._file.open("a") as lines:
            lines.write(json.dumps(asdict(line)) + "\n")


def _container(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    container: Mapping[str, Any] = pod["spec"]["containers"][0]
    return container
