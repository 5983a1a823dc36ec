from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.binaries import CONTROL_PLANE_PROGRAMS, MissingBinaries, find_binaries
from tests.support.fixtures import missing
from tests.support.postgresql import MissingServer, server_url


def test_a_machine_without_kubernetes_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    with pytest.raises(MissingBinaries, match=r"KUBEBUILDER_ASSETS is not set.*setup-envtest use"):
        find_binaries()


def test_an_incomplete_folder_is_told_what_it_lacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for program in CONTROL_PLANE_PROGRAMS[:3]:
        (tmp_path / program).touch(mode=0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    with pytest.raises(MissingBinaries, match=r"has no kube-scheduler, kubectl: .*kube-scheduler of the same version"):
        find_binaries()


def test_a_machine_without_postgresql_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_POSTGRESQL_URL", raising=False)
    with pytest.raises(MissingServer, match="TEST_POSTGRESQL_URL is not set: start PostgreSQL"):
        server_url()


@pytest.mark.parametrize("value", ["", "0", "false", None])
def test_a_missing_part_skips_a_test_on_a_developers_machine(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("CI", raising=False)
    if value is not None:
        monkeypatch.setenv("CI", value)
    with pytest.raises(pytest.skip.Exception, match="get it there"):
        missing("get it there")


@pytest.mark.parametrize("value", ["1", "true", "True"])
def test_a_missing_part_fails_a_test_in_ci(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("CI", value)
    with pytest.raises(pytest.fail.Exception, match="get it there"):
        missing("get it there")
