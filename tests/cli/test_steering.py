"""`tuning suspend`, `resume` and `stop`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.cli.api_server import ApiServer
from tests.cli.workplace import Workplace, study_document, until


def spec_of(server: ApiServer) -> dict[str, Any]:
    """Return the study's spec as it is now."""
    spec: dict[str, Any] = server.studies["team/quick"]["spec"]
    return spec


def show(server: ApiServer, **status: Any) -> None:
    """Let the study's status say something."""
    server.studies["team/quick"]["status"].update(status)


def ended(reason: str = "MaxTrialsReached") -> dict[str, Any]:
    """Return the status of a complete study."""
    complete = {
        "type": "Complete",
        "status": "True",
        "reason": reason,
        "message": "all 5 trials have been started",
        "lastTransitionTime": "2027-01-15T08:00:00Z",
    }
    return {"phase": "Complete", "conditions": [complete]}


@pytest.mark.parametrize(
    ("arguments", "field", "value"),
    [
        (["suspend", "quick"], "suspend", {"enabled": True, "mode": "Drain"}),
        (["suspend", "quick", "--terminate"], "suspend", {"enabled": True, "mode": "Terminate"}),
        (["resume", "quick"], "suspend", {"enabled": False}),
        (["stop", "quick"], "stopping", {"now": "Drain"}),
        (["stop", "quick", "--terminate"], "stopping", {"now": "Terminate"}),
        (["stop", "quick", "2", "0", "2"], "stopping", {"trials": [2, 0]}),
    ],
    ids=" ".join,
)
def test_a_command_changes_its_field_and_no_other(
    workplace: Workplace, server: ApiServer, arguments: Sequence[str], field: str, value: object
) -> None:
    show(server, trials={"total": 3})
    before = dict(spec_of(server))
    called = workplace.call(*arguments)
    assert (called.status, called.err) == (0, "")
    assert "the study quick" in called.out
    after = spec_of(server)
    assert after[field] == value
    others = {field, "stopping"}  # `resume` removes `stopping.now`
    assert {name: after[name] for name in before if name not in others} == {
        name: before[name] for name in before if name not in others
    }


def test_a_study_that_was_stopped_goes_on_when_it_is_resumed(workplace: Workplace, server: ApiServer) -> None:
    spec_of(server)["stopping"] = {"now": "Drain", "onEnd": "Drain"}
    show(server, **ended("StoppedByUser"))
    assert workplace.call("resume", "quick").status == 0
    assert spec_of(server)["stopping"] == {"onEnd": "Drain"}


def test_trials_are_added_to_those_that_were_stopped_before(workplace: Workplace, server: ApiServer) -> None:
    spec_of(server)["stopping"] = {"trials": [1]}
    show(server, trials={"total": 3})
    assert workplace.call("stop", "quick", "2").status == 0
    assert spec_of(server)["stopping"] == {"trials": [1, 2]}
    workplace.call("stop", "quick", "1")
    assert len(server.patches) == 1


@pytest.mark.parametrize(
    "arguments", [["suspend", "quick"], ["resume", "quick"], ["stop", "quick"], ["stop", "quick", "0"]]
)
def test_a_study_that_has_ended_is_told_so(workplace: Workplace, server: ApiServer, arguments: list[str]) -> None:
    show(server, **ended())
    called = workplace.call(*arguments)
    assert called.status == 1
    sentence = "the study quick has ended already (Complete, MaxTrialsReached: all 5 trials have been started)"
    assert called.err.startswith(f"error: {sentence}")
    assert server.patches == []


def test_a_trial_that_does_not_exist_is_told(workplace: Workplace, server: ApiServer) -> None:
    show(server, trials={"total": 3})
    called = workplace.call("stop", "quick", "1", "3")
    assert (called.status, called.err) == (1, "error: the study quick has no trial 3; it has 0 to 2 so far\n")


def test_a_change_by_somebody_else_in_between_is_kept(workplace: Workplace, server: ApiServer) -> None:
    conflict = (409, {"kind": "Status", "message": "the object has been modified"})
    server.answers = [conflict, conflict]
    assert workplace.call("suspend", "quick").status == 0
    assert len(server.patches) == 3
    server.answers = [conflict] * 5
    called = workplace.call("suspend", "quick")
    assert called.status == 1
    assert "is being changed by others all the time" in called.err


@pytest.mark.parametrize(
    ("code", "message", "sentence"),
    [
        (403, 'User "me" cannot patch', 'you may not change the study quick: User "me" cannot patch'),
        (
            422,
            "spec.suspend: refused by a rule",
            "the study quick can't be changed so: spec.suspend: refused by a rule",
        ),
        (400, 'unknown field "spec.stopping.now"', "unknown field"),
        (503, "busy", "the API server answered 503"),
    ],
)
def test_refusals_are_sentences(
    workplace: Workplace, server: ApiServer, code: int, message: str, sentence: str
) -> None:
    server.answers = [(code, {"kind": "Status", "message": message})] * 4
    called = workplace.call("stop", "quick")
    assert called.status == 1
    assert called.err.startswith("error: ")
    assert sentence in called.err
    assert "Traceback" not in called.err


def test_a_study_that_does_not_exist_is_told(workplace: Workplace, server: ApiServer) -> None:
    called = workplace.call("suspend", "quack")
    assert called.status == 1
    assert "there is no TuningStudy quack in the namespace team" in called.err


@pytest.mark.parametrize(
    "arguments", [["stop", "quick", "-1"], ["stop", "quick", "one"], ["stop", "quick", "1", "--terminate"]]
)
def test_wrong_usage_exits_with_2(workplace: Workplace, server: ApiServer, arguments: list[str]) -> None:
    assert workplace.call(*arguments).status == 2
    assert server.patches == []


@pytest.mark.parametrize("command", ["suspend", "resume", "stop"])
def test_a_local_study_that_does_not_run_is_run_instead(workplace: Workplace, command: str) -> None:
    workplace.write(study_document())
    called = workplace.call(command, "study.yaml")
    assert called.status == 1
    assert "the study quick is not running on this machine; `tuning run study.yaml` runs it" in called.err


def test_a_local_study_that_runs_is_steered_where_it_runs(workplace: Workplace) -> None:
    workplace.write(study_document("wait"))
    with workplace.start("run", "study.yaml") as run:
        until(lambda: len(workplace.pids()) == 2, "two trials run")
        called = workplace.call("stop", "study.yaml")
        assert called.status == 1
        assert f"the study quick runs in process {run.pid} of this machine: Ctrl-C there" in called.err
        assert f"is running already (process {run.pid})" in workplace.call("resume", "study.yaml").err
        workplace.let_go()
        run.end()
