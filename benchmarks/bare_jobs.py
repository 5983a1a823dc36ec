"""The least that could start trials: a loop that watches Jobs and POSTs the next one when one is Complete.

A process of its own, so that it has the processor time that the operator has. It reads a `Plan` from its standard
input and prints, for each Job but the first ones, when it saw the Job end whose slot it took.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

import aiohttp

_LARGEST_EVENT = 4 * 2**20


@dataclass(frozen=True)
class Plan:
    """What is run."""

    url: str
    ca_file: str
    token: str
    namespace: str
    pod: dict[str, Any]
    """The spec of each Job's pod."""
    jobs: int
    parallelism: int


def run_jobs(plan: Plan) -> dict[str, float]:
    """Run the Jobs; return for those that took a slot when the loop saw it become free, in seconds since 1970."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.bare_jobs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        output, _ = process.communicate(json.dumps(asdict(plan)))
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode:
        raise SystemExit("the bare Jobs failed; their error stands above")
    freed: dict[str, float] = json.loads(output)
    return freed


class _Loop:
    def __init__(self, plan: Plan, session: aiohttp.ClientSession) -> None:
        self._plan, self._session = plan, session
        self._path = f"{plan.url}/apis/batch/v1/namespaces/{plan.namespace}/jobs"
        self._started = 0
        self._complete: set[str] = set()
        self._posts: set[asyncio.Task[None]] = set()
        self.freed: dict[str, float] = {}

    async def run(self) -> None:
        async with self._session.get(self._path, params={"limit": "1"}) as response:
            version = (await response.json())["metadata"]["resourceVersion"]
        for _ in range(self._plan.parallelism):
            self._start(None)
        selector = {"labelSelector": "benchmark=bare", "watch": "true", "resourceVersion": version}
        async with self._session.get(self._path, params=selector) as response:
            async for line in response.content:
                self._take(json.loads(line)["object"])
                if len(self._complete) == self._plan.jobs:
                    break
        await asyncio.gather(*self._posts)

    def _take(self, job: dict[str, Any]) -> None:
        name, conditions = job["metadata"]["name"], job.get("status", {}).get("conditions") or ()
        if name not in self._complete and any(it["type"] == "Complete" and it["status"] == "True" for it in conditions):
            self._complete.add(name)
            self._start(time.time())

    def _start(self, seen_at: float | None) -> None:
        if self._started < self._plan.jobs:
            self._started += 1
            name = f"bare-{self._started}"
            if seen_at is not None:
                self.freed[name] = seen_at
            self._posts.add(asyncio.create_task(self._post(name)))

    async def _post(self, name: str) -> None:
        template = {"spec": {**self._plan.pod, "restartPolicy": "Never"}}
        metadata = {"name": name, "labels": {"benchmark": "bare"}}
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": template}}
        async with self._session.post(self._path, json=job) as response:
            if response.status != 201:
                raise SystemExit(f"a bare Job was refused: {await response.text()}")


async def _main(plan: Plan) -> dict[str, float]:
    tls = ssl.create_default_context(cafile=plan.ca_file)
    headers = {"Authorization": f"Bearer {plan.token}"}
    connector = aiohttp.TCPConnector(ssl=tls)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(
        headers=headers, connector=connector, timeout=timeout, read_bufsize=_LARGEST_EVENT
    ) as session:
        loop = _Loop(plan, session)
        await loop.run()
        return loop.freed


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_main(Plan(**json.load(sys.stdin))))))
