"""The reader gives the values that kubectl gives."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.server import StudyServer
from tests.support.control_plane import KubectlFailed
from tuning_operator.api.yaml_documents import UnreadableYaml, documents

_HEAD = "apiVersion: tuning-operator.io/v1alpha1\nkind: TuningStudy\nmetadata: {name: x}\nspec:\n  value: "

_SCALARS_OF_A_KIND = [
    "y Y yes Yes YES yEs n N no No NO nO on On ON oN off Off OFF oFF true True TRUE tRue false False FALSE",
    "~ null Null NULL nULL nil",
    "0 1 +1 -1 00 007 010 08 -010 +08 0o7 0O17 0o8 -0o7 0x1F 0X1f -0x1F 0x 0b101 0B11 -0b11 0b2",
    "1_000 1__0 1_ _1 0x_1F 0_7",
    "9223372036854775807 -9223372036854775808 9223372036854775808 18446744073709551616 123456789012345678901234567890",
    "1. 1.0 1.5 .5 -.5 +.5 .5e3 .5_0 1_000.5 1e5 1E5 1e+5 1e-5 1e-7 1e3 1e18",
    "1e19 1e21 1e400 -1e400 1e-400 -0.0 .e5 1e 1e5_0",
    "1e-5 0.1 1.2.3 1,000 0x1p3 0x1.8 . .. - + -- =",
    "12:30 1:2:3 190:20:30.15 2024-01-31 2024-01-31T10:00:00Z 2001-12-14t21:59:43.10-05:00",
    ".inf1 infinity inf nan NaN ٣ 1٣ 1a http://x:80/y a#b a:b",
]
SCALARS = [scalar for line in _SCALARS_OF_A_KIND for scalar in line.split()]

NODES = [
    "'off'", '"1"', '"\\u00e9\\n"', "'it''s'", "|\n    a\n     b\n", ">-\n    a\n    b\n", "a b  # c", "a\n    b",
    "!!str 5", "!!float 5", "!!float 5.5", "!!int 5", "!!int '5'", "!!bool yes", "!!null ''", "!!binary aGVsbG8=",
    "{}", "[]", "[a: b]", "[a:b, c]", "{a, b: c}", "{x: }", "{'y': 1, y: 2}", "{1: a, true: b, off: c, 0x10: d}",
    "{2024-01-31: 1}", "&x [1, 2]", "{a: &z {q: 1}, b: *z}", "{'<<': {a: 1}}", "{<<: {a: 1}, <<: {b: 2}}",
    "{<<: {a: 1}, a: 2}", "{a: 2, <<: {a: 1}}", "{<<: [{a: 1}, {a: 2, b: 3}]}",
]  # fmt: skip

REFUSED = [
    ".inf", "-.INF", ".nan", "[a, , b]", "? a", "{~: 1}", "{[a]: 1}", "!!int x", "{<<: x}", "*x", "&x [*x]", "'a",
    "{a: 1",    '"\\ud800"', "a: b: c", "@x", "`x", "\t- a\n- b", "%a\n---\n--- b: [",
]  # fmt: skip


def test_scalars_are_read_like_kubectl_reads_them(checking_server: StudyServer) -> None:
    text = _HEAD + "\n" + "".join(f"    - {scalar}\n" for scalar in SCALARS)
    theirs, ours = _kubectl(checking_server, text), _ours(text)
    assert len(theirs) == len(ours) == len(SCALARS)
    for scalar, their, our in zip(SCALARS, theirs, ours, strict=True):
        assert _same(their, our), f"{scalar}: kubectl {their!r}, here {our!r}"


def test_lists_maps_and_tags_are_read_like_kubectl_reads_them(checking_server: StudyServer) -> None:
    text = _HEAD + "\n" + "".join("    - " + node.replace("\n", "\n  ") + "\n" for node in NODES)
    assert _ours(text) == _kubectl(checking_server, text)


@pytest.mark.parametrize("node", REFUSED)
def test_what_kubectl_refuses_is_refused(checking_server: StudyServer, node: str) -> None:
    with pytest.raises(UnreadableYaml):
        _ours(_HEAD + node)
    with pytest.raises(KubectlFailed):
        _kubectl(checking_server, _HEAD + node)


def _ours(text: str) -> Any:
    (document,) = documents(text)
    return document["spec"]["value"]


def _kubectl(server: StudyServer, text: str) -> Any:
    arguments = ("create", "--dry-run=client", "--validate=false", "--output=json", "--filename=-")
    return json.loads(server.control_plane.kubectl(*arguments, input=text))["spec"]["value"]


def _same(their: Any, our: Any) -> bool:
    # kubectl prints large floats without an exponent, so that Python reads them back as ints.
    if isinstance(our, float) and isinstance(their, int) and abs(their) >= 2**63:
        return float(their) == our
    return type(their) is type(our) and bool(their == our)
