"""Containers that know nothing of tuning, and only print: they are tuned and pruned all the same."""

from __future__ import annotations

import json
import textwrap
from typing import Any

import pytest

from tests.control_plane.operator_process import InstalledOperator, wait_for
from tests.control_plane.studies import Studies

EPOCHS = 30

PRINTS_SLOWLY = f"""
import os, sys, time
for epoch in range(1, {EPOCHS} + 1):
    print("Epoch %d of {EPOCHS}" % epoch, file=sys.stderr, flush=True)
    print("loss=%.4f, score=%.4f" % (1 / epoch, epoch / 100), flush=True)
    time.sleep(0.2)
"""

STAYS_WHERE_X_IS_SMALL = """
import os, time
x = float(os.environ["PARAM_x"])
for epoch in range(1, 6):
    print('{"epoch": %d, "score": %f}' % (epoch, x), flush=True)
    time.sleep(0.1)
if x < 0.5:
    time.sleep(3600)
"""
"""Ends only if it is deleted where x is small; the last epoch that it prints is one that others have too."""


PRINTS_WHICH_POD_IT_IS = """
import time
pod = time.time_ns() // 1_000_000
for epoch in range(1, 6):
    print(f"pod={pod} score={epoch / 10}", flush=True)
    time.sleep(0.5)
"""


def printing(script: str, **logs: Any) -> dict[str, Any]:
    """Return how trials are run whose container prints; the SDK is not even imported."""
    container = {"name": "main", "image": "somebodys-image:1", "command": ["python", "-c", textwrap.dedent(script)]}
    return {"metrics": {"source": "Logs", "logs": logs}, "template": {"spec": {"containers": [container]}}}


def reports(operator: InstalledOperator, studies: Studies, name: str) -> dict[int, list[tuple[int, dict[str, float]]]]:
    """Return step and values of what each trial reported."""
    uid = studies.get(name)["metadata"]["uid"]
    rows = operator.query('SELECT trial, step, "values" FROM tuning_reports WHERE study_uid = ? ORDER BY 1, 2', uid)
    found: dict[int, list[tuple[int, dict[str, float]]]] = {}
    for trial, step, values in rows:
        found.setdefault(trial, []).append((step, json.loads(values)))
    return found


def test_what_is_printed_survives_two_kills_of_the_operator(studies: Studies, operator: InstalledOperator) -> None:
    studies.apply("printing", "", trial=printing(PRINTS_SLOWLY), maxTrials=2, parallelism=2)
    for step in (5, 15):
        wait_for(
            lambda step=step: len(reports(operator, studies, "printing").get(0, ())) >= step,  # type: ignore[misc]
            60,
            operator.log,
        )
        operator.kill()
        operator.start()
    studies.wait("printing", "Complete")
    expected = [(epoch, {"loss": round(1 / epoch, 4), "score": epoch / 100}) for epoch in range(1, EPOCHS + 1)]
    assert reports(operator, studies, "printing") == {0: expected, 1: expected}
    assert [trial["value"] for trial in studies.status("printing")["recent"]] == [EPOCHS / 100] * 2


def test_hopeless_trials_that_only_print_are_deleted_and_count_as_pruned(
    studies: Studies, operator: InstalledOperator
) -> None:
    search = {
        "sampler": {"name": "Random"},
        "pruner": {"name": "Median", "options": {"nStartupTrials": 1}},
        "enqueue": [{"x": 0.9}, {"x": 0.1}, {"x": 0.8}],
    }
    trial = printing(STAYS_WHERE_X_IS_SMALL, format="Json", step="epoch")
    studies.apply("pruned", "", trial={**trial, "pruneGrace": "1h"}, search=search, maxTrials=3, parallelism=1)
    studies.wait("pruned", "Complete")
    states = {trial["number"]: trial["state"] for trial in studies.status("pruned")["recent"]}
    assert states[1] == "Pruned"
    assert states[0] == "Complete"
    wait_for(
        lambda: "1" not in {job["metadata"]["labels"]["tuning-operator.io/trial"] for job in studies.jobs("pruned")},
        30,
        operator.log,
    )


def test_a_pod_that_a_queue_gave_back_prints_its_trial_anew(studies: Studies, operator: InstalledOperator) -> None:
    trial = {**printing(PRINTS_WHICH_POD_IT_IS), "queue": {"kueue": "gpu-queue"}}
    studies.apply("again", "", trial=trial, maxTrials=1, parallelism=1)
    wait_for(lambda: len(reports(operator, studies, "again").get(0, ())) >= 3, 60, operator.log)
    first = reports(operator, studies, "again")[0][0][1]["pod"]
    (job,) = studies.jobs("again")
    studies.suspend_job(job["metadata"]["name"], True)
    studies.wait_held(job["metadata"]["name"], 2)
    studies.suspend_job(job["metadata"]["name"], False)
    studies.wait("again", "Complete")
    assert studies.status("again")["best"]["job"] == job["metadata"]["name"], "the same attempt went on"
    printed = reports(operator, studies, "again")[0]
    assert [step for step, _ in printed] == [1, 2, 3, 4, 5]
    pods = {values["pod"] for _, values in printed}
    assert len(pods) == 1
    assert first not in pods


@pytest.mark.parametrize(
    ("script", "reason", "words"),
    [
        ("print('score=nan', flush=True); import time; time.sleep(600)", "NotFinite", "`score` became nan"),
        ("print('scores=1')", "NoObjective", "it reported scores"),
        ("pass", "NoObjective", "it reported nothing"),
        ("print('score=1', flush=True); raise SystemExit(3)", "Error", "exited with code 3"),
    ],
    ids=["nan", "other metric", "nothing", "exit code"],
)
def test_a_mistake_is_named(
    studies: Studies, operator: InstalledOperator, script: str, reason: str, words: str, request: Any
) -> None:
    name = f"bad-{request.node.callspec.id.replace(' ', '-')}"
    studies.apply(name, "", trial=printing(script), maxTrials=1, parallelism=1)
    studies.wait(name, "Failed")
    (last,) = studies.status(name)["recent"]
    assert last["reason"] == reason
    assert words in last["message"]


def test_rubbish_and_a_hundred_thousand_lines_hide_nothing(studies: Studies, operator: InstalledOperator) -> None:
    script = """
    import os, sys
    sys.stdout.buffer.write(os.urandom(1_000_000) + b"\\n")
    for line in range(100_000):
        print("working on item", line)
    print("\\r".join("score=%d" % percent for percent in range(100)))
    """
    studies.apply("noisy", "", trial=printing(script), maxTrials=1, parallelism=1)
    studies.wait("noisy", "Complete")
    assert studies.status("noisy")["best"]["value"] == 99
    assert "Traceback" not in operator.log_file.read_text()
