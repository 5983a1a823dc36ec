"""Requests that fail: what is repeated, and what the exceptions say."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.cluster_api.fake_api_server import FakeApiServer, Fault
from tests.cluster_api.manifests import job_manifest
from tests.support.control_plane import ControlPlane
from tuning_operator.cluster import paths
from tuning_operator.cluster.answers import RequestRefused, parse_warnings
from tuning_operator.cluster.client import ATTEMPTS, ClusterClient
from tuning_operator.cluster.credentials import Credentials, load_credentials
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import ClusterUnavailable, Forbidden, LeaseLost, NotFound

STUDY = StudyKey("team", "digits", "6f9619ff-8b86-4d01-b42d-00cf4fc964ff")
JOBS = paths.jobs("team")


@pytest.fixture
async def server() -> AsyncIterator[FakeApiServer]:
    """An API server without Jobs."""
    async with FakeApiServer() as server:
        yield server


@pytest.fixture
async def client(server: FakeApiServer) -> AsyncIterator[ClusterClient]:
    """A client of it."""
    async with ClusterClient(lambda: server.credentials) as client:
        yield client


@pytest.mark.parametrize("fault", [Fault("GET", 500), Fault("GET", 503), Fault("GET", drop=True)], ids=str)
async def test_reading_is_repeated_after_a_failure(server: FakeApiServer, client: ClusterClient, fault: Fault) -> None:
    server.fail(replace(fault, times=ATTEMPTS - 1))
    assert (await client.request("GET", JOBS))["items"] == []
    assert server.count("GET") == ATTEMPTS


async def test_whoever_may_not_act_any_more_reads_and_changes_nothing(server: FakeApiServer) -> None:
    def check() -> None:
        raise LeaseLost("another operator acts")

    async with ClusterClient(lambda: server.credentials, before_write=check) as client:
        assert (await client.request("GET", JOBS))["items"] == []
        for verb in ("POST", "PATCH", "PUT", "DELETE"):
            with pytest.raises(LeaseLost):
                await client.request(verb, JOBS, job_manifest(STUDY, 0))
    assert server.jobs == {}


async def test_an_outage_ends_as_unavailable_with_the_servers_words(
    server: FakeApiServer, client: ClusterClient
) -> None:
    server.fail(Fault("GET", 503, json.dumps({"message": "etcd is away"}).encode(), times=ATTEMPTS))
    with pytest.raises(ClusterUnavailable, match="503: etcd is away"):
        await client.request("GET", JOBS)


async def test_a_post_is_not_repeated_unless_it_may_be(server: FakeApiServer, client: ClusterClient) -> None:
    server.fail(Fault("POST", 500), Fault("POST", 500))
    with pytest.raises(ClusterUnavailable):
        await client.request("POST", JOBS, job_manifest(STUDY, 0))
    assert server.count("POST") == 1
    await client.request("POST", JOBS, job_manifest(STUDY, 0), repeatable=True)
    assert len(server.jobs) == 1


async def test_a_busy_server_is_asked_again_whatever_the_request(server: FakeApiServer, client: ClusterClient) -> None:
    server.fail(Fault("POST", 429, headers={"Retry-After": "0"}))
    await client.request("POST", JOBS, job_manifest(STUDY, 0))
    assert len(server.jobs) == 1


async def test_refusals_say_what_the_server_says(server: FakeApiServer, client: ClusterClient) -> None:
    for status, kind in ((403, Forbidden), (404, NotFound), (409, RequestRefused), (422, RequestRefused)):
        server.fail(Fault("GET", status, json.dumps({"message": f"no: {status}"}).encode()))
        with pytest.raises(kind, match=f"no: {status}"):
            await client.request("GET", JOBS)
    assert server.count("GET") == 4, "a refusal is repeated"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\xff", b"7", b"[" * 100_000])
async def test_an_answer_that_is_no_json_object_counts_as_an_outage(
    server: FakeApiServer, client: ClusterClient, body: bytes
) -> None:
    server.fail(Fault("GET", 200, body))
    with pytest.raises(ClusterUnavailable, match="no JSON object"):
        await client.request("GET", JOBS)


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    async with ClusterClient(lambda: Credentials("http://127.0.0.1:1"), attempts=1) as client:
        with pytest.raises(ClusterUnavailable, match="does not answer"):
            await client.request("GET", JOBS)
        with pytest.raises(ClusterUnavailable, match="does not answer"):
            async with client.stream(JOBS, params={}, silence=1):
                pass


async def test_refused_credentials_are_read_again_once(server: FakeApiServer) -> None:
    read: list[str] = []

    def load() -> Credentials:
        read.append(f"Bearer token-{len(read)}")
        return replace(server.credentials, authorization=read[-1])

    async with ClusterClient(load) as client:
        server.fail(Fault("GET", 401), Fault("WATCH", 401))
        await client.request("GET", JOBS)
        params = {"watch": "1", "resourceVersion": "0", "timeoutSeconds": "9"}
        async with client.stream(JOBS, params=params, silence=1):
            pass
        assert [headers["Authorization"] for *_, headers in server.requests] == [read[0], read[1], read[1], read[2]]
        server.fail(Fault("GET", 401, times=2))
        with pytest.raises(ClusterUnavailable, match="credentials"):
            await client.request("GET", JOBS)


async def test_every_answer_is_counted_and_a_missing_one_too(server: FakeApiServer) -> None:
    counted: list[tuple[str, int]] = []
    where = server.credentials

    async with ClusterClient(lambda: where, lambda verb, code: counted.append((verb, code))) as client:
        server.fail(Fault("GET", 500))
        await client.request("GET", JOBS)
    where = Credentials("http://127.0.0.1:1")
    async with ClusterClient(lambda: where, lambda verb, code: counted.append((verb, code)), attempts=1) as client:
        with pytest.raises(ClusterUnavailable):
            await client.request("PUT", JOBS)
    assert counted == [("GET", 500), ("GET", 200), ("PUT", 0)]


def test_warnings_are_read_without_their_quotes() -> None:
    headers = ['299 - "unknown field \\"spec.x\\""', '299 - "unknown field \\"spec.x\\""', "nonsense", '299 - "b"']
    assert parse_warnings(headers) == ('unknown field "spec.x"', "b")


async def test_a_kubeconfig_says_where_the_cluster_is(
    control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(control_plane.kubeconfig))
    async with ClusterClient(load_credentials) as client:
        assert (await client.request("GET", "/version"))["major"] == "1"
        assert (await client.credentials()).namespace == "default"


def test_a_kubeconfig_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/no/such/kubeconfig")
    with pytest.raises(ClusterUnavailable, match="set KUBECONFIG"):
        load_credentials()
