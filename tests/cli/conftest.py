"""The workplace that most tests of the command line use."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.workplace import Workplace


@pytest.fixture
def workplace(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Workplace:
    """An empty directory with a trainer, which is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return Workplace(tmp_path, capsys)
