"""The workplace that most tests of the command line use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.api_server import ApiServer, api_server
from tests.cli.cluster_studies import cluster_study, cluster_trial
from tests.cli.workplace import Workplace


@pytest.fixture
def workplace(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Workplace:
    """An empty directory with a trainer, which is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return Workplace(tmp_path, capsys)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    """An API server with the study team/quick, which the kubeconfig names."""
    with api_server() as server:
        server.studies["team/quick"] = cluster_study(server.token)
        server.trials = [cluster_trial(number) for number in range(5)]
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path / "kubeconfig", "team")))
        monkeypatch.delenv("TUNING_SERVICE", raising=False)
        yield server
