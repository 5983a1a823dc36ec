"""What a real API server makes of the CRD and of studies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.api.golden_files import ACCEPTED, EXAMPLES, INVALID, VALID, api_server_says
from tests.api.server import StudyServer
from tests.api.studies import study, study_with
from tests.support.control_plane import KubectlFailed
from tuning_operator.api.crd import COLUMNS, custom_resource_definition
from tuning_operator.api.pruners import HyperbandOptions
from tuning_operator.api.status import (
    BestTrial,
    Condition,
    ConditionType,
    Phase,
    RecentTrial,
    StudyStatus,
    TrialCounts,
    Usage,
)
from tuning_operator.api.validation import parse_study
from tuning_operator.api.yaml_files import load_study
from tuning_operator.errors import InvalidStudy

CRD_PATH = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{custom_resource_definition()['metadata']['name']}"


def test_the_crd_is_established_and_structural(checking_server: StudyServer) -> None:
    # Costs of rules are checked at the creation, which would have failed.
    conditions = checking_server.control_plane.api.get(CRD_PATH)["status"]["conditions"]
    assert {each["type"]: each["status"] for each in conditions} == {"NamesAccepted": "True", "Established": "True"}


@pytest.mark.parametrize("path", [*VALID, *EXAMPLES], ids=lambda path: path.stem)
def test_a_valid_study_comes_back_with_the_same_meaning(path: Path, checking_server: StudyServer) -> None:
    document = load_study(path)
    assert parse_study(checking_server.tried(document)).spec == parse_study(document).spec


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_an_invalid_study_is_refused_at_once_where_the_server_can_see_why(
    path: Path, checking_server: StudyServer
) -> None:
    refusal = checking_server.refusal(load_study(path))
    expected = api_server_says(path)
    if expected == ACCEPTED:
        assert refusal is None, "it can see why after all: say so in the file's first line"
    else:
        assert refusal is not None
        assert expected in refusal


_NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.5, -0.0, 2**53, 2**53 + 1, 2**63, 1e300, 1.1e300]),
)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    parameter=st.fixed_dictionaries(
        {"name": st.sampled_from(["x", "x1", "1x", "a-b"]), "type": st.sampled_from(["Float", "Int"])},
        optional={
            "low": _NUMBERS,
            "high": _NUMBERS,
            "step": _NUMBERS,
            "scale": st.sampled_from(["Linear", "Log", "ReverseLog", None]),
        },
    )
)
def test_server_and_models_agree_on_ranges(checking_server: StudyServer, parameter: dict[str, Any]) -> None:
    document = study_with(parameter)
    assert (checking_server.refusal(document) is None) == _is_valid(document)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    spec=st.fixed_dictionaries(
        {"maxTrials": st.integers(0, 5)},
        optional={
            "parallelism": st.integers(0, 5) | st.none(),
            "suspend": st.fixed_dictionaries({}, optional={"enabled": st.booleans(), "mode": st.just("Drain")}),
            "stopping": st.just({"failedTrials": {"total": 1}}) | st.none(),
            "search": st.fixed_dictionaries(
                {},
                optional={
                    "seed": st.integers(-1, 1) | st.sampled_from([2**32 - 1, 2**32]) | st.none(),
                    "enqueue": st.lists(st.dictionaries(st.just("x"), st.sampled_from([0, 0.5, 1, None]))),
                },
            ),
        },
    ),
    duration=st.from_regex(r"\A[0-9]{0,6}h?[0-9]{0,2}m?[0-9]{0,2}s?\Z", fullmatch=True),
)
def test_server_and_models_agree_on_the_rest(checking_server: StudyServer, spec: dict[str, Any], duration: str) -> None:
    document = study(**spec)
    document["spec"]["trial"]["pruneGrace"] = duration
    assert (checking_server.refusal(document) is None) == _is_valid(document)


_WILCOXON = {"name": "Wilcoxon", "options": {"pThreshold": 0.9}}
_FLOAT = {"type": "Float", "low": 1, "high": 2}
_INT = {"type": "Int", "low": 1, "high": 2}
_KINDS_OF_PARAMETERS = [
    _FLOAT,
    {**_FLOAT, "step": 0.5},
    {**_FLOAT, "high": 1},
    {**_FLOAT, "scale": "Log"},
    {**_FLOAT, "high": 1, "scale": "Log"},
    _INT,
    {**_INT, "scale": "ReverseLog"},
    {"type": "Categorical", "choices": [1, 2]},
    {"type": "Fixed", "value": 1},
]
_RESOURCES = st.fixed_dictionaries(
    {"maxResource": st.integers(0, 3)},
    optional={"minResource": st.integers(1, 3) | st.none(), "reductionFactor": st.sampled_from([1, 2, 3, 1.5, 1001])},
)
_SAMPLERS = st.one_of(
    st.sampled_from(["Random", "BruteForce", "QMC", "TPE", "GP", "CMAES", "NSGAII"]).map(lambda name: {"name": name}),
    st.sampled_from([{}, {"points": None}, {"points": 1}, {"points": 2}]).map(
        lambda options: {"name": "Grid", "options": options}
    ),
    _RESOURCES.map(lambda options: {"name": "SynchronousHyperband", "options": options}),
)
_PRUNERS = st.one_of(
    st.sampled_from([{"name": "None"}, {"name": "Median"}, _WILCOXON]),
    _RESOURCES.map(lambda options: {"name": "Hyperband", "options": options}),
)


@settings(max_examples=500, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    kinds=st.lists(st.sampled_from(_KINDS_OF_PARAMETERS), max_size=3),
    parent=st.none() | st.sampled_from(["p0", "p1", "p2", "p3"]),
    search=st.fixed_dictionaries(
        {"sampler": _SAMPLERS, "seed": st.just(1)},
        optional={
            "pruner": _PRUNERS,
            "warmStart": st.sampled_from([[], [{"study": "earlier"}]]),
            "deterministic": st.booleans(),
        },
    ),
    by_run=st.booleans(),
    trial=st.fixed_dictionaries(
        {"checkpoints": st.just({"claimName": "claim"})}, optional={"repeats": st.just(3), "folds": st.just(3)}
    ),
)
def test_server_and_models_agree_on_methods(
    checking_server: StudyServer,
    kinds: list[dict[str, Any]],
    parent: str | None,
    search: dict[str, Any],
    by_run: bool,
    trial: dict[str, Any],
) -> None:
    parameters = [{"name": f"p{index}", **kind} for index, kind in enumerate(kinds)]
    if parameters and parent is not None:
        parameters[-1]["when"] = {"parameter": parent, "in": [1]}
    document = study(parameters=parameters, search=search, defineByRun=by_run)
    document["spec"]["trial"] |= trial
    assert (checking_server.refusal(document) is None) == _is_valid(document)


def test_options_that_are_whole_may_be_written_as_floats(checking_server: StudyServer) -> None:
    options = {"minResource": 1.0, "maxResource": 9.0, "reductionFactor": 3.0}
    stored = checking_server.tried(study(search={"pruner": {"name": "Hyperband", "options": options}}))
    assert parse_study(stored).spec.search.pruner.parsed_options() == HyperbandOptions(max_resource=9)


@pytest.mark.parametrize(
    ("search", "kind", "spec"),
    [
        ({"sampler": {"name": "BruteForce"}}, {**_FLOAT, "step": 0.5}, {}),
        ({"sampler": {"name": "Grid", "options": {"points": 3}}}, {**_FLOAT, "scale": "Log"}, {}),
        ({"sampler": {"name": "CMAES"}}, _FLOAT, {"defineByRun": True}),
        ({"sampler": {"name": "TPE"}, "warmStart": [{"study": "earlier"}], "pruner": _WILCOXON}, _INT, {}),
        ({"sampler": {"name": "Random"}, "pruner": {"name": "Hyperband", "options": {"maxResource": 2}}}, _INT, {}),
    ],
    ids=["BruteForce", "Grid", "CMAES", "Wilcoxon", "Hyperband"],
)
@pytest.mark.parametrize("count", [2, 200])
def test_the_server_takes_large_spaces(
    checking_server: StudyServer, search: dict[str, Any], kind: dict[str, Any], spec: dict[str, Any], count: int
) -> None:
    parent = {"name": "p0", "type": "Int", "low": 1, "high": 2}
    children = [{"name": f"p{index}", **kind} for index in range(1, count)]
    for child in children[:-1]:
        child["when"] = {"parameter": "p0", "in": [1]}
    document = study(parameters=[parent, *children], search=search, **spec)
    document["spec"]["trial"]["folds"] = 5
    assert checking_server.refusal(document) is None
    assert _is_valid(document)


@given(
    value=st.one_of(st.none(), st.booleans(), st.floats(), st.text(max_size=3), st.integers(), st.just([]), st.just({}))
)
@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_the_server_refuses_nothing_that_the_models_accept(checking_server: StudyServer, value: Any) -> None:
    document = study_with({"name": "x", "type": "Categorical", "choices": ["other", value]})
    assume(_is_valid(document))
    assert checking_server.refusal(document) is None


def test_kubectl_shows_the_columns(server: StudyServer) -> None:
    server.create(study("shown"))
    server.write_status("shown", _full_status().to_document())
    kubectl = server.control_plane.kubectl
    narrow = kubectl("get", "ts", "-n", server.namespace).splitlines()
    assert narrow[0].split() == ["NAME", "PHASE", "PROGRESS", "RUNNING", "BEST", "AGE"]
    assert narrow[1].split()[:-1] == ["shown", "Running", "3/10", "2", "0.987"]
    wide = kubectl("get", "ts", "-n", server.namespace, "-o", "wide").splitlines()
    assert wide[0].split()[5:] == ["PRUNED", "FAILED", "GPU", "HOURS", "SAMPLER", "PRUNER", "AGE"]
    assert wide[1].split()[5:-1] == ["1", "1", "1.5", "TPE", "None"]
    assert len(COLUMNS) == 10
    server.write_status("shown", {"phase": "Running", "frontSize": 12, "result": "front of 12"})
    assert "front of 12" in kubectl("get", "ts", "-n", server.namespace)
    assert "tuningstudy.tuning-operator.io/shown" in kubectl("get", "all", "-n", server.namespace, "-o", "name")


def test_kubectl_refuses_unknown_fields_without_being_asked(checking_server: StudyServer) -> None:
    document = study(maxTrails=5)
    with pytest.raises(KubectlFailed, match=r'unknown field "spec\.maxTrails"'):
        checking_server.control_plane.kubectl("create", "--filename=-", input=json.dumps(document))


def test_the_server_stores_every_field_of_the_status(server: StudyServer) -> None:
    server.create(study("answered"))
    status = _full_status()
    assert server.write_status("answered", status.to_document())["status"] == status.to_document()


def _full_status() -> StudyStatus:
    parameters: dict[str, str | int | float | bool] = {"x": 0.5, "n": 1, "name": "adam", "flag": True}
    return StudyStatus(
        observed_generation=1,
        phase=Phase.RUNNING,
        conditions=[
            Condition(
                type=kind,
                status="True",
                observed_generation=1,
                last_transition_time="2027-01-15T08:00:00Z",
                reason="Because",
            )
            for kind in ConditionType
        ],
        start_time="2027-01-15T08:00:00Z",
        completion_time="2027-01-15T09:00:00.5Z",
        progress="3/10",
        result="0.987",
        trials=TrialCounts(total=6, waiting=1, pending=0, running=2, complete=1, pruned=1, failed=1),
        best=BestTrial(number=1, value=0.987, values={"loss": 0.987}, parameters=parameters, job="answered-1"),
        recent=[
            RecentTrial(number=1, state="Complete", value=1.0, parameters=parameters, duration="1m", message="x" * 9999)
        ],
        usage=Usage(gpu_hours=1.5, trial_hours=2.5),
        planned_trainings=10,
        planned_epochs=30,
        read_token="token",
    )


def _is_valid(document: dict[str, Any]) -> bool:
    try:
        parse_study(document)
    except InvalidStudy:
        return False
    return True
