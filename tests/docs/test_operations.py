"""Every failure, hold-up, end and alarm is explained in docs/operations.md, and its commands show what it says."""

from __future__ import annotations

import ast
import re
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

from tests.control_plane.operator_process import InstalledOperator
from tests.control_plane.studies import Studies
from tests.docs.reader import DOCS, Reader
from tests.docs.troubled_studies import apply_all, apply_capped
from tests.support.control_plane import ControlPlane
from tuning_operator import errors
from tuning_operator.api.retries import FailureClass
from tuning_operator.cluster import answers
from tuning_operator.decisions import conditions, stopping
from tuning_operator.decisions.hold_ups import HoldUp
from tuning_operator.errors import InvalidStudy, LeaseLost, ParameterRefused, StudyGone, TuningError
from tuning_operator.metrics.recording import Metrics
from tuning_operator.reports.refusals import Reason

PAGE = DOCS / "operations.md"
PARALLELISM = 40
"""What the operator allows the namespace: more than the troubled studies need, less than one of them wants."""


def explained() -> set[str]:
    """Return the words that have a section or a row of a table on the page."""
    titles = re.findall(r"^#+ (.+)|^\| (.+?) \|", PAGE.read_text(), re.MULTILINE)
    return {word for title in titles for word in re.findall(r"`(\w+)`", " ".join(title))}


def reasons_in(module: ModuleType) -> set[str]:
    """Return the CamelCase words that a module writes: its reasons."""
    tree = ast.parse(Path(str(module.__file__)).read_text())
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {text for text in texts if re.fullmatch(r"([A-Z][a-z]+)+", text)}


def degrading_errors() -> set[str]:
    """Return the names of the errors that a study's step may meet; they are reasons of Degraded."""
    modules = {errors.__name__, answers.__name__}
    kinds = {kind for kind in _descendants(TuningError) if kind.__module__ in modules}
    return {kind.__name__ for kind in kinds - {InvalidStudy, StudyGone, LeaseLost, ParameterRefused} if not kind.__subclasses__()}


def _descendants(kind: type) -> Iterator[type]:
    for child in kind.__subclasses__():
        yield child
        yield from _descendants(child)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param({str(each) for each in FailureClass}, id="failure classes"),
        pytest.param({str(each) for each in HoldUp}, id="what keeps trials waiting"),
        pytest.param(reasons_in(stopping) - {"Failed"}, id="ends"),
        pytest.param(reasons_in(conditions) - {"True", "False"}, id="conditions"),
        pytest.param(degrading_errors(), id="what is away"),
        pytest.param({str(each) for each in Reason}, id="refused reports"),
    ],
)
def test_each_reason_has_a_section_or_a_row(words: set[str]) -> None:
    assert len(words) > 5
    assert words - explained() == set()


def test_the_metrics_of_the_page_exist() -> None:
    named = set(re.findall(r"tuning_[a-z_]+[a-z]", "\n".join(re.findall(r"```promql\n(.*?)```", PAGE.read_text(), re.S))))
    known = {description.name for description in Metrics().descriptions}
    assert named
    assert {re.sub("_(bucket|sum|count)$", "", name) for name in named} - known == set()


@pytest.fixture(scope="module")
def operator_settings() -> Mapping[str, str]:
    """Log lines for collectors, and a cap."""
    return {"TUNING_OPERATOR_LOG_FORMAT": "json", "TUNING_OPERATOR_NAMESPACE_PARALLELISM": str(PARALLELISM)}


def refused_report(operator: InstalledOperator) -> None:
    """Report without a credential."""
    address = f"http://127.0.0.1:{operator.report_port}/v1/studies/no-study/trials/0/attempts/1/reports"
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(urllib.request.Request(address, method="POST", data=b"{}"), timeout=10)


@pytest.mark.timeout(600)
def test_the_page_says_what_is_seen(
    control_plane: ControlPlane, studies: Studies, operator: InstalledOperator, tmp_path: Path
) -> None:
    apply_all(studies)
    (tmp_path / "operator.log").symlink_to(operator.log_file)
    environment = {"METRICS": f"http://127.0.0.1:{operator.probe_port}/metrics"}
    reader = Reader.of_namespace(tmp_path, control_plane, studies.namespace, environment)
    with closing(sqlite3.connect(operator.database, isolation_level=None)) as somebody_else:

        def take_database_away() -> None:
            somebody_else.execute("BEGIN IMMEDIATE")
            studies.patch("small", {"maxTrials": 5})

        deeds = {
            "too many trials are wanted": lambda: apply_capped(studies),
            "the database goes away": take_database_away,
            "the database comes back": lambda: somebody_else.execute("ROLLBACK"),
            "a report is refused": lambda: refused_report(operator),
        }
        assert reader.read("operations.md", deeds) > 30
