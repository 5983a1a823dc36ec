"""Fixtures of the chart's tests."""

from __future__ import annotations

import pytest

from tests.chart.helm import Helm, MissingHelm, find_helm
from tests.support.fixtures import missing


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "helm" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.helm)


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    try:
        return Helm(find_helm(), tmp_path_factory.mktemp("helm"))
    except MissingHelm as reason:
        missing(str(reason))
