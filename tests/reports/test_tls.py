"""Reports by TLS: the SDK against the real server, with real certificates that change while it runs."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio

from tests.fakes.trial_repository import FakeTrialRepositories
from tests.reports.running_server import STUDY, RunningServer, eventually, running_server
from tests.support.certificates import write_serving_certificate
from tuning_contract import Report, ReportBatch, ReportReply
from tuning_operator.reports.addresses import ReportAddresses
from tuning_operator.reports.certificate import ServingCertificate
from tuning_operator.reports.limits import Limits
from tuning_operator.reports.server import ReportServer
from tuning_operator.settings import InvalidSetting
from tuning_trainer.endpoint import EndpointUnavailable, ReportEndpoint


class MountedSecret:
    """A Secret's files as the kubelet mounts them: one folder behind a link, which is replaced at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._versions = 0
        self.data = folder / "data"
        self.renew()

    def renew(self, authority: bool = True) -> str:
        """Put in a new key, certificate and authority; return the authority's certificate."""
        version = self._folder / str(self._versions)
        self._versions += 1
        certificate, key, own_authority = write_serving_certificate(version, "made")
        certificate.rename(version / "tls.crt")
        key.rename(version / "tls.key")
        own_authority.rename(version / "ca.crt")
        pem = (version / "ca.crt").read_text()
        if not authority:
            (version / "ca.crt").unlink()
        self._show(version)
        return pem

    def spoil(self) -> None:
        """Put in a key that is not the certificate's."""
        version = self._folder / "spoilt"
        shutil.copytree(self.data.resolve(), version)
        _, key, _ = write_serving_certificate(self._folder / "strange", "strange")
        shutil.copy(key, version / "tls.key")
        self._show(version)

    def certificate(self) -> ServingCertificate:
        return ServingCertificate(self.data)

    def _show(self, version: Path) -> None:
        link = self._folder / "next"
        link.symlink_to(version)
        link.replace(self.data)


@dataclass
class SecureServer:
    """A server with TLS, and trials of it."""

    server: RunningServer
    secret: MountedSecret
    certificate: ServingCertificate

    async def report(self, step: int, ca: str | None) -> ReportReply:
        """Let a trial that trusts an authority report a step, by a connection of its own."""
        access = self.addresses(ca).report_access(STUDY, 0, 1)
        endpoint = ReportEndpoint(access.url, access.token, ca=access.ca)
        try:
            return await asyncio.to_thread(endpoint.post, _report(step))
        finally:
            endpoint.close()

    def addresses(self, ca: str | None) -> ReportAddresses:
        return ReportAddresses(f"https://127.0.0.1:{self.server.port}", self.server.key, ca=lambda: ca)

    @property
    def steps(self) -> list[int]:
        return [report.step for report in self.server.repository.reports(0)]


@pytest_asyncio.fixture
async def secure(tmp_path: Path) -> AsyncIterator[SecureServer]:
    secret = MountedSecret(tmp_path)
    certificate = secret.certificate()
    async with running_server(Limits(header_seconds=2.0), certificate=certificate) as server:
        yield SecureServer(server, secret, certificate)


def _report(step: int) -> bytes:
    return ReportBatch((Report(step, {"accuracy": 0.5}),)).to_json()


async def test_a_trial_reports_to_the_operator_that_its_environment_vouches_for(secure: SecureServer) -> None:
    assert await secure.report(1, secure.certificate.authority) == ReportReply()
    assert secure.steps == [1]


async def test_a_trial_of_another_authority_sends_nothing(secure: SecureServer, tmp_path: Path) -> None:
    _, _, other = write_serving_certificate(tmp_path / "other", "other")
    with pytest.raises(EndpointUnavailable, match="certificate verify failed"):
        await secure.report(1, other.read_text())
    assert secure.steps == []


async def test_a_renewed_certificate_serves_new_connections_and_harms_no_open_one(secure: SecureServer) -> None:
    first = secure.certificate.authority
    access = secure.addresses(first).report_access(STUDY, 0, 1)
    endpoint = ReportEndpoint(access.url, access.token, ca=access.ca)
    await asyncio.to_thread(endpoint.post, _report(1))
    second = secure.secret.renew()
    secure.certificate.refresh()
    assert secure.certificate.authority == second
    await secure.report(2, second)
    await asyncio.to_thread(endpoint.post, _report(3))
    with pytest.raises(EndpointUnavailable, match="certificate verify failed"):
        await secure.report(4, first)
    endpoint.close()
    assert secure.steps == [1, 2, 3]


async def test_a_server_finds_a_renewed_certificate_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuning_operator.reports.certificate.CHECK_SECONDS", 0.01)
    secret = MountedSecret(tmp_path)
    certificate = secret.certificate()
    async with running_server(certificate=certificate) as server:
        renewed = secret.renew()

        async def is_renewed() -> bool:
            return certificate.authority == renewed

        await eventually(is_renewed)
        await SecureServer(server, secret, certificate).report(1, renewed)


async def test_a_certificate_with_a_strange_key_is_not_used(
    secure: SecureServer, caplog: pytest.LogCaptureFixture
) -> None:
    before = secure.certificate.authority
    secure.secret.spoil()
    for _ in range(3):
        secure.certificate.refresh()
    await secure.report(1, before)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "the one before stays in use" in caplog.text
    renewed = secure.secret.renew()
    secure.certificate.refresh()
    await secure.report(2, renewed)


async def test_without_an_authority_trials_trust_what_their_image_trusts(secure: SecureServer) -> None:
    secure.secret.renew(authority=False)
    secure.certificate.refresh()
    assert secure.certificate.authority is None


@pytest.mark.parametrize(
    ("name", "content"),
    [("tls.crt", None), ("tls.key", b"no key"), ("ca.crt", b"no authority"), ("ca.crt", b"-" * 70_000)],
)
def test_files_that_cant_be_used_stop_the_start_with_a_sentence(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    secret = MountedSecret(tmp_path)
    (secret.data / name).unlink() if content is None else (secret.data / name).write_bytes(content)
    with pytest.raises(InvalidSetting, match="can't be used"):
        secret.certificate()


async def test_plain_http_gets_no_answer_and_harms_nobody(secure: SecureServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", secure.server.port)
    writer.write(secure.server.head(2) + b"{}")
    assert b"HTTP" not in await reader.read()
    writer.close()
    assert secure.steps == []
    await secure.report(1, secure.certificate.authority)


async def test_handshakes_that_never_end_lock_nobody_out(tmp_path: Path) -> None:
    secret = MountedSecret(tmp_path)
    certificate = secret.certificate()
    async with running_server(Limits(connections=10), certificate=certificate) as server:
        silent = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(50)]
        await SecureServer(server, secret, certificate).report(1, certificate.authority)
        for _, writer in silent:
            writer.close()


async def test_a_handshake_that_does_not_end_is_given_up(secure: SecureServer) -> None:
    with socket.create_connection(("127.0.0.1", secure.server.port)) as client:
        client.settimeout(30)
        assert await asyncio.to_thread(client.recv, 1) == b""


async def test_a_standby_passes_on_to_the_leaders_address_and_checks_its_name(secure: SecureServer) -> None:
    leader = f"https://127.0.0.1:{secure.server.port}"
    for name, status in (("localhost", 200), ("somebody.else", 503)):
        certificate = ServingCertificate(secure.secret.data, name)
        key, none = secure.server.key, FakeTrialRepositories()
        standby = ReportServer(none, key, wake=lambda _: None, leader=lambda: leader, certificate=certificate)
        port = await standby.start()
        trials = replace(secure, server=replace(secure.server, port=port))
        try:
            if status == 200:
                assert await trials.report(7, secure.certificate.authority) == ReportReply()
            else:
                with pytest.raises(EndpointUnavailable):
                    await trials.report(8, secure.certificate.authority)
        finally:
            await standby.stop()
    assert secure.steps == [7]
