"""Whom a trial trusts with its reports, and where it takes its credential from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.certificates import write_serving_certificate
from tests.trainer.conftest import OpenEndpoint
from tests.trainer.fake_operator import Answer, FakeOperator
from tests.trainer.scripts import Script
from tests.trainer.test_endpoint import BODY
from tuning_contract import ReportReply, TrialEnvironmentError
from tuning_trainer.endpoint import EndpointUnavailable, ReportEndpoint, RequestRefused


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    return write_serving_certificate(tmp_path_factory.mktemp("pki"), "operator")


@pytest.fixture(scope="module")
def ca(certificate: tuple[Path, Path, Path]) -> str:
    return certificate[2].read_text()


@pytest.fixture
def secure(certificate: tuple[Path, Path, Path]) -> Iterator[FakeOperator]:
    """An operator that is reached by TLS."""
    with FakeOperator(certificate[:2]) as running:
        yield running


def test_reports_go_to_the_operator_whose_authority_is_known(
    secure: FakeOperator, open_endpoint: OpenEndpoint, ca: str
) -> None:
    assert open_endpoint(secure.url, ca=ca).post(BODY) == ReportReply()


def test_among_several_authorities_one_is_enough(
    secure: FakeOperator, open_endpoint: OpenEndpoint, ca: str, tmp_path: Path
) -> None:
    _, _, next_authority = write_serving_certificate(tmp_path, "next")
    assert open_endpoint(secure.url, ca=next_authority.read_text() + ca).post(BODY) == ReportReply()


def test_nothing_is_sent_to_an_operator_of_another_authority(
    secure: FakeOperator, open_endpoint: OpenEndpoint, tmp_path: Path
) -> None:
    _, _, other = write_serving_certificate(tmp_path, "other")
    with pytest.raises(EndpointUnavailable, match="certificate verify failed"):
        open_endpoint(secure.url, ca=other.read_text()).post(BODY)
    assert secure.batches == []


def test_without_an_authority_those_of_the_image_count(secure: FakeOperator, open_endpoint: OpenEndpoint) -> None:
    with pytest.raises(EndpointUnavailable, match="certificate verify failed"):
        open_endpoint(secure.url).post(BODY)


def test_a_certificate_for_another_name_is_not_accepted(
    secure: FakeOperator, open_endpoint: OpenEndpoint, ca: str
) -> None:
    same_address = secure.url.replace("127.0.0.1", "127.1")
    with pytest.raises(EndpointUnavailable, match=r"not valid for '127\.1'"):
        open_endpoint(same_address, ca=ca).post(BODY)


@pytest.mark.parametrize(
    "ca", ["no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "ü"]
)
def test_an_authority_that_cant_be_read_is_an_error_at_once(ca: str) -> None:
    with pytest.raises(TrialEnvironmentError, match="TUNING_REPORT_CA"):
        ReportEndpoint("https://operator/", ca=ca)


def test_a_script_finds_the_authority_in_its_environment(secure: FakeOperator, ca: str, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("of-the-kubelet\n")
    script = Script(tmp_path / "train.py", secure.url)
    text = "import tuning_trainer as tuning\ntuning.current_trial().report({'a': 1.0}, step=1)"
    assert script.run(text, report_ca=ca, report_token_file=str(token)).returncode == 0
    assert secure.steps == [1]
    assert set(secure.authorizations) == {"Bearer of-the-kubelet"}


def test_a_token_file_is_read_for_each_request(
    operator: FakeOperator, open_endpoint: OpenEndpoint, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    endpoint = open_endpoint(token=None, token_file=str(file))
    for token in ("first", "second"):
        file.write_text(token)
        endpoint.post(BODY)
    assert operator.authorizations == ["Bearer first", "Bearer second"]
    assert operator.connections == 1


def test_a_token_that_is_not_accepted_is_read_and_sent_again(
    operator: FakeOperator, open_endpoint: OpenEndpoint, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("expired")
    operator.answers.append(Answer(401))
    with pytest.raises(EndpointUnavailable, match="status 401"):
        open_endpoint(token=None, token_file=str(file)).post(BODY)
    operator.answers.append(Answer(403))
    with pytest.raises(RequestRefused, match="status 403"):
        open_endpoint(token=None, token_file=str(file)).post(BODY)


@pytest.mark.parametrize("content", [None, b"two\nlines", b"\xff"])
def test_a_token_file_that_cant_be_used_yet_is_read_again(
    operator: FakeOperator, open_endpoint: OpenEndpoint, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "token"
    endpoint = open_endpoint(token=None, token_file=str(file))
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(EndpointUnavailable):
        endpoint.post(BODY)
    file.write_text("token")
    assert endpoint.post(BODY) == ReportReply()
