"""Studies that fail, wait and end in every way that docs/operations.md speaks of."""

from __future__ import annotations

from typing import Any

from tests.control_plane.operator_process import wait_for
from tests.control_plane.studies import Studies

FAILS = """
import os, time
trial = tuning.current_trial()
match trial.parameters["behaviour"]:
    case "error":
        raise ValueError("the data set has no labels")
    case "nan":
        trial.report({"score": float("nan")}, step=1)
    case "nothing":
        trial.report({"loss": 0.5}, step=1)
    case "memory":
        os.kill(os.getpid(), 9)
    case "reports":
        os._exit(75)
    case "silent" | "job":
        trial.report({"score": 0.5}, step=1)
        time.sleep(600)
    case "slow":
        for step in range(1, 600):
            trial.report({"score": 0.5}, step=step)
            time.sleep(1)
    case "good":
        trial.report({"score": 1}, step=1)
"""
BEHAVIOURS = ["error", "nan", "nothing", "memory", "reports", "job", "silent", "slow", "good"]
"""In the order of the trials' numbers."""

WAITS_ON_THE_FIRST_ATTEMPT = """
import os, signal, time
signal.signal(signal.SIGTERM, lambda *_: (time.sleep(3), os._exit(143)))
trial = tuning.current_trial()
trial.report({"score": 0.5}, step=1)
time.sleep(600 if os.environ["TUNING_ATTEMPT"] == "1" else 0)
"""
QUICK = "tuning.current_trial().report({'score': 1}, step=1)"
SLOW = "import time; time.sleep(3); " + QUICK
BROKEN = "raise SystemExit(1)"

ONE = {"maxTrials": 1, "parallelism": 1}
NO_RETRIES = {"retries": {"limit": 0, "reasons": []}}
BY_CHOICE = [{"name": "choice", "type": "Categorical", "choices": ["a", "b"]}]


def apply_all(studies: Studies) -> None:
    """Create all studies, and do to their pods and Jobs what nodes, queues and people do."""
    _apply_failing(studies)
    _delete(studies, _job(studies, "mixed", BEHAVIOURS.index("job")))  # before it is silent for too long
    _apply_waiting(studies)
    _apply_ending(studies)
    _suspend(studies, _job(studies, "queued", 0))
    _disrupt(studies)


def apply_capped(studies: Studies) -> None:
    """Create a study that wants more trials in parallel than a namespace may have."""
    studies.apply(
        "capped", QUICK, maxTrials=100, parallelism=100, trial=_pod(QUICK, nodeSelector={"disk": "none-such"})
    )


def _apply_failing(studies: Studies) -> None:
    mixed = {**_pod(FAILS, image="out-of-memory:1"), "deadlines": {"silence": "15s", "run": "25s"}, **NO_RETRIES}
    studies.apply(
        "mixed",
        FAILS,
        parameters=[{"name": "behaviour", "type": "Categorical", "choices": BEHAVIOURS}],
        search={"sampler": {"name": "Random"}, "enqueue": [{"behaviour": each} for each in BEHAVIOURS]},
        maxTrials=len(BEHAVIOURS),
        parallelism=len(BEHAVIOURS),
        trial=mixed,
    )
    studies.apply("disrupted", WAITS_ON_THE_FIRST_ATTEMPT, maxTrials=3, parallelism=3)
    late: dict[str, Any] = {"deadlines": {"start": "12s"}}
    studies.apply("late", QUICK, trial={**_pod(QUICK, nodeSelector={"disk": "none-such"}), **late}, **ONE)
    studies.apply("late-image", QUICK, trial={**_pod(QUICK, image="does-not-exist:1"), **late}, **ONE)


def _apply_waiting(studies: Studies) -> None:
    studies.apply("no-node", QUICK, trial=_pod(QUICK, nodeSelector={"disk": "none-such"}), **ONE)
    studies.apply("no-image", QUICK, trial=_pod(QUICK, image="does-not-exist:1"), **ONE)
    studies.apply("no-account", QUICK, trial=_pod(QUICK, serviceAccountName="trainer"), **ONE)
    # Its pod must not have run: the Job controller may take the exit code of a pod that a queue ended for the Job's
    # failure, if it looks before the pod is gone, and the next attempt would not be held back.
    held = {**_pod(QUICK, nodeSelector={"disk": "none-such"}), "queue": {"kueue": "gpu-queue"}}
    studies.apply("queued", QUICK, trial=held, **ONE)


def _apply_ending(studies: Studies) -> None:
    studies.apply("small", QUICK, **ONE)
    studies.apply("grid", QUICK, parameters=BY_CHOICE, search={"sampler": {"name": "Grid"}}, maxTrials=9)
    studies.apply("infeasible", QUICK, parameters=BY_CHOICE, constraints=["choice == 'none of them'"])
    goal = {"metric": "score", "direction": "Maximize", "goal": 0.9}
    studies.apply("goal", QUICK, objectives=[goal], maxTrials=9, parallelism=1)
    studies.apply("plateau", QUICK, stopping={"plateau": {"trials": 2}}, maxTrials=9, parallelism=1)
    studies.apply("hour", SLOW, stopping={"duration": "4s"}, maxTrials=9, parallelism=1)
    gpu = {"limits": {"nvidia.com/gpu": 1}}
    studies.apply(
        "gpus", SLOW, stopping={"gpuHours": 0.0001}, maxTrials=9, parallelism=1, trial=_container(SLOW, resources=gpu)
    )
    studies.apply("stopped", SLOW, stopping={"now": "Terminate"})
    studies.apply("broken", BROKEN, stopping={"failedTrials": {"total": 2}}, trial=NO_RETRIES)
    studies.apply("hopeless", BROKEN, trial=NO_RETRIES, **ONE)
    studies.apply("paused", SLOW, suspend={"enabled": True})
    studies.apply("twice", QUICK, parameters=[{"name": "choice", "type": "Categorical", "choices": ["a", "a"]}])
    studies.apply("misspelled", QUICK, trial=_container(QUICK, imagePullPolcy="Always"))


def _job(studies: Studies, study: str, trial: int) -> str:
    """Return the Job of a trial, once there is one."""
    uid = studies.get(study)["metadata"]["uid"]
    selector = f"tuning-operator.io/study-uid={uid},tuning-operator.io/trial={trial}"
    wait_for(lambda: studies.kubectl("get", "jobs", "-l", selector, "-o", "name") != "", 60, lambda: f"{study} waits")
    return studies.kubectl("get", "jobs", "-l", selector, "-o", "name").strip()


def _delete(studies: Studies, job: str) -> None:
    studies.kubectl("delete", job, "--wait=false")


def _suspend(studies: Studies, job: str) -> None:
    """Do what a queue does that wants its quota back."""
    studies.kubectl("patch", job, "--type=merge", "-p", '{"spec": {"suspend": true}}')


def _disrupt(studies: Studies) -> None:
    wait_for(lambda: _running(studies, "disrupted") == 3, 120, lambda: str(studies.status("disrupted")))
    pods = studies.pods("disrupted")
    studies.disrupt(pods[0], "PreemptionByScheduler")
    studies.evict(pods[1])
    studies.disrupt(pods[2], "DeletionByTaintManager")


def _running(studies: Studies, name: str) -> int:
    return int(studies.status(name).get("trials", {}).get("running", 0))


def _pod(script: str, image: str = "trainer:1", **pod: Any) -> dict[str, Any]:
    template = _container(script, image=image)["template"]
    return {"template": {"spec": {**template["spec"], **pod}}}


def _container(script: str, **fields: Any) -> dict[str, Any]:
    command = ["python", "-c", f"import tuning_trainer as tuning\n{script}"]
    return {
        "template": {"spec": {"containers": [{"name": "trainer", "image": "trainer:1", "command": command, **fields}]}}
    }
