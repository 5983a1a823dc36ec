"""docs/security.md says what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.chart.helm import CHART, Helm, of_kind
from tests.chart.test_rights import operator_roles
from tests.support.rights import granted

ROOT = CHART.parents[1]
PAGE = (ROOT / "docs" / "security.md").read_text()


def _explained_rights() -> set[tuple[str, str, str]]:
    rows = re.findall(r"^\| ([a-z0-9.-]+) \| ([a-z/]+) \| ([a-z, ]+) \| .+ \|$", PAGE, re.MULTILINE)
    return {
        ("" if group == "core" else group, resource, verb)
        for group, resource, verbs in rows
        for verb in verbs.split(", ")
        if group != "group"
    }


def test_the_page_explains_every_right_of_the_operator_and_no_other(helm: Helm) -> None:
    assert _explained_rights() == granted(operator_roles(helm.render()))


def test_the_page_names_values_of_the_chart(helm: Helm) -> None:
    values = {"reports": {"authentication": "ServiceAccountToken", "tls": {"secretName": "tuning-reports-tls"}}}
    values |= {"networkPolicy": {"enabled": True}, "admission": {"requireJobPermission": False}}
    assert not of_kind(helm.render(values), "ValidatingAdmissionPolicy")
    for name in ("reports.tls.secretName", "reports.authentication", "admission.requireJobPermission"):
        assert name in PAGE


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(tests/[\w/*.]+)`", PAGE))))
def test_the_tests_that_the_page_points_to_exist(path: str) -> None:
    assert list(Path(ROOT).glob(path))
