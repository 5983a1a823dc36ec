"""Examples and databases: studies that end well.

The digits study is in test_crashes, those with a volume in test_checkpoints.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.chart.helm import Helm
from tests.control_plane.operator_process import InstalledOperator
from tests.control_plane.studies import EXAMPLES, Studies
from tests.control_plane.test_checkpoints import WITH_CHECKPOINTS
from tests.support.control_plane import ControlPlane
from tests.support.process_node import ProcessNode

SHORT = 3
"""Trials of an example here; its file has more."""

OTHERS = sorted({file.stem for file in EXAMPLES.glob("*.yaml")} - {"digits-mlp", *WITH_CHECKPOINTS})


@pytest.mark.parametrize("example", OTHERS)
def test_an_example_completes_as_jobs(studies: Studies, operator: InstalledOperator, example: str) -> None:
    studies.apply_example(example)
    studies.patch(example, {"maxTrials": SHORT, "parallelism": 2})
    studies.wait(example, "Complete", 280)
    trials = studies.status(example)["trials"]
    assert trials["complete"] + trials["pruned"] >= SHORT
    assert trials["failed"] == 0


@pytest.fixture
def postgresql_operator(
    control_plane: ControlPlane,
    process_node: ProcessNode,
    helm: Helm,
    studies: Studies,
    operator: InstalledOperator,
    postgresql_url: str,
    tmp_path: Path,
) -> Iterator[InstalledOperator]:
    """An operator on PostgreSQL in the place of the other one."""
    operator.terminate()
    installed = InstalledOperator(
        control_plane, helm, studies.namespace, tmp_path, "operator-postgresql", storage_url=postgresql_url
    )
    installed.start()
    try:
        installed.wait_ready()
        yield installed
    finally:
        installed.terminate()
        operator.start()
        operator.wait_ready()


def test_a_study_is_kept_in_postgresql(
    studies: Studies, postgresql_operator: InstalledOperator, postgresql_url: str
) -> None:
    script = """
    trial = tuning.current_trial()
    for step in (1, 2, 3):
        trial.report({"score": trial.parameters["x"] * step}, step=step)
    """
    studies.apply("in-postgresql", script)
    studies.wait("in-postgresql", "Complete")
    url = urllib.parse.urlsplit(postgresql_url)._replace(scheme="postgresql").geturl()
    with psycopg.connect(url) as connection:
        uid = studies.get("in-postgresql")["metadata"]["uid"]
        states = "SELECT state, count(*) FROM trials JOIN studies USING (study_id) WHERE study_name LIKE %s GROUP BY 1"
        assert connection.execute(states, (f"%/{uid}",)).fetchall() == [("COMPLETE", 3)]
        reports = "SELECT count(*) FROM tuning_reports WHERE study_uid = %s"
        assert connection.execute(reports, (uid,)).fetchone() == (9,)
