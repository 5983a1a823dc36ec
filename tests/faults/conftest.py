"""One control plane and one operator for all of these tests; whatever a test breaks has healed when it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from random import Random

import pytest

from tests.chart.helm import MissingHelm
from tests.faults.databases import SQLiteFile, StageDatabase, own_postgresql
from tests.faults.stage import Stage, faulty_cluster, stage
from tests.support.binaries import MissingBinaries
from tests.support.control_plane import ControlPlane
from tests.support.fixtures import missing
from tests.support.postgresql import MissingServer
from tests.support.process_node import ProcessNode
from tuning_operator.fault_points import Defect

Cluster = tuple[ControlPlane, ProcessNode]


@pytest.fixture(scope="package")
def cluster() -> Iterator[Cluster]:
    """A control plane of these tests' own, which they may kill."""
    try:
        with faulty_cluster() as made:
            yield made
    except MissingBinaries as reason:
        missing(str(reason))


@pytest.fixture(scope="package")
def on(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage with its history in SQLite."""
    folder = tmp_path_factory.mktemp("faults")
    with _stage(cluster, folder, nullcontext(SQLiteFile(folder / "tuning.db"))) as made:
        yield made


@pytest.fixture(scope="module")
def on_postgresql(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage on a PostgreSQL server of its own."""
    with _stage(cluster, tmp_path_factory.mktemp("faults"), own_postgresql()) as made:
        yield made


@contextmanager
def _stage(cluster: Cluster, folder: Path, opened: AbstractContextManager[StageDatabase]) -> Iterator[Stage]:
    try:
        with opened as database, stage(*cluster, folder, database, hurry=True) as made:
            yield made
    except (MissingHelm, MissingServer) as reason:
        missing(str(reason))


@pytest.fixture
def defective(cluster: Cluster, tmp_path: Path) -> Callable[[Defect], AbstractContextManager[Stage]]:
    """Stages whose operator has a defect."""
    return lambda defect: stage(*cluster, tmp_path, SQLiteFile(tmp_path / "tuning.db"), hurry=True, defect=defect)


@pytest.fixture
def chance() -> Random:
    """The same choices each time."""
    return Random(7)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if {"on", "on_postgresql", "defective"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.control_plane)
