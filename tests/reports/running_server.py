"""A report server on a free port of this machine, with one open study, and a client for it."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.fakes.trial_repository import FakeTrialRepositories, FakeTrialRepository
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.metrics.recording import Metrics
from tuning_operator.ports import TrialRepository
from tuning_operator.reports.certificate import ServingCertificate
from tuning_operator.reports.credentials import read_token, report_token
from tuning_operator.reports.limits import Limits
from tuning_operator.reports.pod_tokens import PodTokens
from tuning_operator.reports.report_endpoint import report_url
from tuning_operator.reports.server import ReportServer

STUDY = StudyKey("team", "digits", "11111111-2222-3333-4444-555555555555")

SPEC = StudySpec.model_validate(
    {
        "objectives": [{"metric": "accuracy", "direction": "Maximize"}],
        "parameters": [{"name": "learning_rate", "type": "Float", "low": 0.0, "high": 1.0}],
        "maxTrials": 10_000,
        "trial": {"template": {"spec": {"containers": [{"name": "trainer", "image": "trainer"}]}}},
    }
)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass
class RunningServer:
    """What a test needs of it."""

    port: int
    key: bytes
    server: ReportServer
    client: aiohttp.ClientSession
    repositories: FakeTrialRepositories
    metrics: Metrics
    woken: list[str] = field(default_factory=list)
    deleted: set[str] = field(default_factory=set)
    names: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def repository(self) -> FakeTrialRepository:
        repository = self.repositories.find(STUDY.uid)
        assert repository is not None
        return repository

    def find_study(self, namespace: str, name: str) -> tuple[str, TrialRepository] | None:
        uid = self.names.get((namespace, name))
        repository = None if uid is None else self.repositories.find(uid)
        return None if uid is None or repository is None else (uid, repository)

    async def report(
        self,
        body: Any,
        *,
        uid: str = STUDY.uid,
        trial: int = 0,
        attempt: int = 1,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """POST a body, as JSON unless it is bytes, with the attempt's own credential unless told otherwise."""
        token = report_token(self.key, uid, trial, attempt) if token is None else token
        sent = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **(headers or {})}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        url = report_url(self.base, uid, trial, attempt)
        async with self.client.post(url, data=io.BytesIO(data), headers=sent) as response:
            return Answer(response.status, response.headers, await response.read())

    async def read(self, path: str, *, study: StudyKey = STUDY, token: str | None = None) -> Answer:
        """GET below the study's trials with the study's own read token unless told otherwise."""
        token = read_token(self.key, study.uid) if token is None else token
        url = f"{self.base}/v1/studies/{study.namespace}/{study.name}/trials{path}"
        async with self.client.get(url, headers={"X-Tuning-Read-Token": token}) as response:
            return Answer(response.status, response.headers, await response.read())

    def head(self, length: int, *, trial: int = 0, attempt: int = 1) -> bytes:
        """Return the request line and the headers of a genuine report of so many bytes."""
        path = report_url("", STUDY.uid, trial, attempt)
        token = report_token(self.key, STUDY.uid, trial, attempt)
        return (
            f"POST {path} HTTP/1.1\r\nHost: operator\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        ).encode()

    def rejections(self, reason: str) -> float:
        """Return how many requests were refused for the reason."""
        return self.metrics.registry.get_sample_value("tuning_report_rejections_total", {"reason": reason}) or 0.0


async def eventually(holds: Callable[[], Awaitable[bool]], seconds: float = 30.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110 - what is waited for lies behind a socket
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running_server(
    limits: Limits | None = None,
    trials: int = 1,
    certificate: ServingCertificate | None = None,
    pod_tokens: PodTokens | None = None,
    repositories: Any = None,
    awaited: Collection[str] = (),
) -> AsyncIterator[RunningServer]:
    """Serve the study with so many trials asked for; `repositories` puts a real storage in the fake one's place.

    `awaited` are the studies that may be opened yet.
    """
    repositories = FakeTrialRepositories() if repositories is None else repositories
    await (await repositories.open(STUDY, SPEC)).ask(trials)
    key, metrics, woken, deleted = await repositories.secret_key(), Metrics(), list[str](), set[str]()

    def find_study(namespace: str, name: str) -> tuple[str, TrialRepository] | None:
        return running.find_study(namespace, name)

    server = ReportServer(
        repositories,
        key,
        wake=woken.append,
        gone=deleted.__contains__,
        awaited=awaited.__contains__,
        find_study=find_study,
        metrics=metrics,
        limits=limits,
        certificate=certificate,
        pod_tokens=pod_tokens,
    )
    port = await server.start()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as client:
        running = RunningServer(port, key, server, client, repositories, metrics, woken, deleted)
        running.names[STUDY.namespace, STUDY.name] = STUDY.uid
        try:
            yield running
        finally:
            await server.stop()
