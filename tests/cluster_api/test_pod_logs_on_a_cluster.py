"""Logs of real pods through a real API server, and through a proxy that cuts every connection."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.builders import spec, spec_document
from tests.cluster_api.cluster import create_study, credentials
from tests.cluster_api.conftest import following
from tests.cluster_api.manifests import job_manifest
from tests.cluster_api.trial_jobs_suite import until
from tests.fakes import FakeTrialRepository
from tests.support.control_plane import ControlPlane
from tests.support.process_node import ProcessNode
from tuning_operator.cluster import pod_logs
from tuning_operator.cluster.client import ClusterClient
from tuning_operator.cluster.job_cache import JobCache
from tuning_operator.cluster.job_watch import JobWatch
from tuning_operator.cluster.pod_logs import PodLogs
from tuning_operator.cluster.trial_jobs import ClusterTrialJobs
from tuning_operator.decisions.seen_jobs import JobPhase
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.ports import Clock
from tuning_operator.trial_logs.log_readings import LogReadings

SPEC = spec(trial={**spec_document()["trial"], "metrics": {"source": "Logs"}})
STEPS = 60
PRINTS = f"""
import time
for step in range(1, {STEPS} + 1):
    print("loss=1\\naccuracy=%.3f" % (step / 1000), flush=True)
    time.sleep(0.05)
"""


class CuttingProxy:
    """Passes TCP connections on, and cuts all of them from time to time."""

    def __init__(self, port: int, seconds: float) -> None:
        self._port = port
        self._seconds = seconds
        self._writers: set[asyncio.StreamWriter] = set()
        self.cuts = 0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[int]:
        """Run; yield the port."""
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        cutting = asyncio.create_task(self._cut())
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            cutting.cancel()
            self._abort()
            server.close()
            await asyncio.gather(cutting, return_exceptions=True)

    async def _cut(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            self.cuts += bool(self._writers)
            self._abort()

    def _abort(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers |= {writer, there_writer}
        await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer))
        self._writers -= {writer, there_writer}


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


def printing_job(study: StudyKey) -> dict[str, Any]:
    """Return a Job that prints."""
    manifest = job_manifest(study, 0)
    pod = manifest["spec"]["template"]["spec"]
    pod["containers"] = [{"name": "trainer", "image": "trainer:1", "command": ["python", "-c", PRINTS]}]
    return manifest


@pytest.mark.parametrize("cut_every", [0.3, 1.0])
async def test_a_proxy_that_cuts_streams_costs_no_line_and_doubles_none(
    control_plane: ControlPlane,
    process_node: ProcessNode,
    study_crd: None,
    namespace: str,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    cut_every: float,
) -> None:
    monkeypatch.setattr(pod_logs, "SHORTEST_PAUSE", 0.02)
    monkeypatch.setattr(pod_logs, "PAUSE_AFTER_END", 0.05)
    monkeypatch.setattr(pod_logs, "LONGEST_PAUSE", 0.1)
    study = create_study(control_plane, namespace, "digits")
    direct = credentials(control_plane)
    scheme, port = direct.server.rsplit(":", 1)
    proxy = CuttingProxy(int(port), cut_every)
    trials = FakeTrialRepository(SPEC)
    await trials.ask(1)
    async with proxy.running() as proxy_port:
        through_proxy = dataclasses.replace(direct, server=f"{scheme}:{proxy_port}")
        async with ClusterClient(lambda: direct) as client, ClusterClient(lambda: through_proxy) as cut_client:
            cache = JobCache(clock, lambda _uid: None)
            readings = LogReadings(PodLogs(cut_client, cache).read, lambda _uid: None)

            def look() -> bool:
                started = [job for job in cache.observed(study) if job.phase is not JobPhase.PENDING]
                readings.follow(study, SPEC, started, trials)
                return (0, 1) in readings.read(study)

            async with following(JobWatch(client, cache, [namespace])):
                await ClusterTrialJobs(client, cache).create(study, printing_job(study))
                await until(look, "the log is not read to its end")
            assert readings.read(study) == {(0, 1): None}
            await readings.close()
    assert proxy.cuts >= 2
    steps = [(report.step, report.values["accuracy"]) for report in trials.reports(0)]
    assert steps == [(step, step / 1000) for step in range(1, STEPS + 1)]
