from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.support.components import API_SERVER
from tests.support.control_plane import ControlPlane, KubectlFailed
from tests.support.process_node import ProcessNode

from .jobs import Jobs, container_state, job
from .waiting import is_running, wait_for

SLEEP = ("sleep", "600")


@pytest.fixture
def jobs(control_plane: ControlPlane, process_node: ProcessNode, namespace: str) -> Jobs:
    return Jobs(control_plane, namespace)


def sleeper(pid_file: Path) -> tuple[str, ...]:
    """A command that leaves its pid in a file and sleeps, through a shell that its pod's deletion must end as well."""
    return ("sh", "-c", f"sleep 600 & echo $! > {pid_file}.part; mv {pid_file}.part {pid_file}; wait")


def read_pid(pid_file: Path) -> int:
    wait_for(pid_file.exists, "the process has started")
    return int(pid_file.read_text())


def test_a_job_runs_python_and_its_output_is_the_pods_log(
    jobs: Jobs, control_plane: ControlPlane, namespace: str
) -> None:
    code = "import os, sys; print(sys.executable, *sys.argv[1:], os.environ['GREETING'])"
    variables = [{"name": "NAME", "value": "world"}, {"name": "GREETING", "value": "hello $(NAME)"}]
    jobs.create(job("greeting", "python", "-c", code, env=variables, args=["$(NAME)"]))
    assert jobs.finished("greeting")["type"] == "Complete"
    log = control_plane.kubectl("logs", "job/greeting", "-n", namespace)
    assert log == f"{sys.executable} world hello world\n"


def test_a_pod_has_times_addresses_and_an_exit_code_when_it_has_ended(jobs: Jobs) -> None:
    jobs.create(job("short", "true"))
    jobs.finished("short")
    (pod,) = jobs.pods("Succeeded")
    assert pod["status"]["podIP"] == "127.0.0.1"
    assert container_state(pod)["terminated"].items() >= {"exitCode": 0, "reason": "Completed"}.items()
    assert pod["status"]["startTime"] <= container_state(pod)["terminated"]["finishedAt"]


def test_an_exit_code_fails_the_job_by_its_failure_policy(jobs: Jobs) -> None:
    jobs.create(job("failing", "python", "-c", "raise SystemExit(42)"))
    condition = jobs.finished("failing")
    assert (condition["type"], condition["reason"]) == ("Failed", "PodFailurePolicy")
    assert "exit code 42 matching FailJob rule at index 0" in condition["message"]
    (pod,) = jobs.pods("Failed")
    assert container_state(pod)["terminated"].items() >= {"exitCode": 42, "reason": "Error"}.items()


def test_a_process_that_is_killed_has_the_exit_code_of_its_signal(jobs: Jobs) -> None:
    jobs.create(job("killed", "sh", "-c", "kill -9 $$$$"))  # Kubernetes makes $$ of it
    jobs.finished("killed")
    (pod,) = jobs.pods("Failed")
    assert container_state(pod)["terminated"]["exitCode"] == 137


def test_a_log_can_be_followed_while_the_pod_runs(
    jobs: Jobs, control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    go_on = tmp_path / "go-on"
    script = f"echo first; echo second; while [ ! -e {go_on} ]; do sleep 0.05; done; echo third"
    jobs.create(job("talker", "sh", "-c", script))
    jobs.running_pod("talker")
    present = ["logs", "job/talker", "-n", namespace, "--tail=1"]
    wait_for(lambda: control_plane.kubectl(*present) == "second\n", "the last line is there")
    go_on.touch()
    assert control_plane.kubectl("logs", "job/talker", "-n", namespace, "-f") == "first\nsecond\nthird\n"
    stamped = control_plane.kubectl("logs", "job/talker", "-n", namespace, "--timestamps", "--limit-bytes=36")
    assert stamped.endswith("Z first")


def test_deleting_a_job_in_the_background_removes_its_pod_and_all_its_processes(jobs: Jobs, tmp_path: Path) -> None:
    jobs.create(job("endless", *sleeper(tmp_path / "pid")))
    pid = read_pid(tmp_path / "pid")
    assert is_running(pid)
    jobs.delete("endless")
    wait_for(lambda: not jobs.pods(), "the pod is gone")
    wait_for(lambda: not is_running(pid), "the process is gone")


def test_a_process_that_ignores_the_request_is_killed_after_the_grace_period(jobs: Jobs, tmp_path: Path) -> None:
    marker = tmp_path / "asked"
    script = f"trap 'touch {marker}' TERM; touch {tmp_path}/ready; while true; do sleep 0.1; done"
    stubborn = job("stubborn", "sh", "-c", script)
    stubborn["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 1
    jobs.create(stubborn)
    wait_for((tmp_path / "ready").exists, "the trap is set")
    jobs.delete("stubborn")
    wait_for(lambda: not jobs.pods(), "the pod is gone")
    assert marker.exists()


def test_a_forced_deletion_ends_the_process(
    jobs: Jobs, control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    jobs.create(job("forced", *sleeper(tmp_path / "pid")))
    pid = read_pid(tmp_path / "pid")
    name = jobs.running_pod("forced")["metadata"]["name"]
    control_plane.kubectl("delete", "pod", name, "-n", namespace, "--force", "--grace-period=0", "--wait=false")
    wait_for(lambda: not is_running(pid), "the process is gone")
    assert jobs.finished("forced")["type"] == "Failed"


def test_gpus_limit_how_many_pods_run_at_a_time(jobs: Jobs, process_node: ProcessNode) -> None:
    for index in range(3):
        jobs.create(job(f"gpu-{index}", *SLEEP, gpus=2))
    wait_for(lambda: len(jobs.pods("Running")) == 2, "two of three pods run")

    def unschedulable() -> list[str]:
        conditions = [each for pod in jobs.pods("Pending") for each in pod["status"].get("conditions", [])]
        return [each["message"] for each in conditions if each.get("reason") == "Unschedulable"]

    (message,) = wait_for(unschedulable, "the third is refused")
    assert "Insufficient nvidia.com/gpu" in message
    process_node.set_gpus(6)
    try:
        wait_for(lambda: len(jobs.pods("Running")) == 3, "all run")
    finally:
        process_node.set_gpus(4)


def test_an_image_that_cannot_be_pulled_keeps_the_pod_pending(
    jobs: Jobs, control_plane: ControlPlane, namespace: str
) -> None:
    jobs.create(job("unpullable", "true", image="example.com/does-not-exist:1"))
    pod = jobs.pod(
        "unpullable", lambda pod: container_state(pod).get("waiting", {}).get("reason") == "ImagePullBackOff"
    )
    assert pod["status"]["phase"] == "Pending"
    with pytest.raises(KubectlFailed, match="waiting to start"):
        control_plane.kubectl("logs", "job/unpullable", "-n", namespace)
    jobs.delete("unpullable")
    wait_for(lambda: not jobs.pods(), "the pod is gone")


def test_references_to_secrets_and_fields_reach_the_process(
    jobs: Jobs, control_plane: ControlPlane, namespace: str
) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "stringData": {"token": "s3cret"}}
    variables = [
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "key", "key": "token"}}},
        {"name": "WHERE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
    ]
    jobs.create(job("references", "sh", "-c", "echo $TOKEN $WHERE", env=variables))
    jobs.pod("references", lambda pod: "waiting" in container_state(pod))
    waiting = container_state(jobs.pods()[0])["waiting"]
    assert (waiting["reason"], waiting["message"]) == ("CreateContainerConfigError", 'secret "key" not found')
    control_plane.kubectl("create", "-n", namespace, "-f", "-", input=json.dumps(secret))
    jobs.create(job("again", "sh", "-c", "echo $TOKEN $WHERE", env=variables))
    jobs.finished("again")
    assert control_plane.kubectl("logs", "job/again", "-n", namespace) == f"s3cret {namespace}\n"


def test_a_missing_program_is_a_start_error(jobs: Jobs) -> None:
    jobs.create(job("missing", "no-such-program"))
    assert jobs.finished("missing")["type"] == "Failed"
    (pod,) = jobs.pods("Failed")
    terminated = container_state(pod)["terminated"]
    assert (terminated["exitCode"], terminated["reason"]) == (128, "StartError")
    assert '"no-such-program"' in terminated["message"]


def test_an_evicted_pod_is_a_disruption(jobs: Jobs, control_plane: ControlPlane, namespace: str) -> None:
    evictable = job("evicted", *SLEEP)
    disrupted = {"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    evictable["spec"]["podFailurePolicy"]["rules"].insert(0, disrupted)
    jobs.create(evictable)
    name = jobs.running_pod("evicted")["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    control_plane.api.create(f"/api/v1/namespaces/{namespace}/pods/{name}/eviction", eviction)
    assert "DisruptionTarget" in jobs.finished("evicted")["message"]


def test_pods_outlive_a_killed_api_server(jobs: Jobs, control_plane: ControlPlane, tmp_path: Path) -> None:
    go_on = tmp_path / "go-on"
    jobs.create(job("survivor", "sh", "-c", f"while [ ! -e {go_on} ]; do sleep 0.05; done"))
    jobs.running_pod("survivor")
    control_plane.kill(API_SERVER)
    go_on.touch()  # so that the pod ends while nobody can be told
    control_plane.restart(API_SERVER)
    assert jobs.finished("survivor")["type"] == "Complete"


def test_a_killed_node_ends_its_processes_and_fails_their_pods_when_it_is_back(
    jobs: Jobs, process_node: ProcessNode, tmp_path: Path
) -> None:
    jobs.create(job("doomed", "sh", "-c", f"echo $$$$ > {tmp_path}/part; mv {tmp_path}/part {tmp_path}/pid; sleep 600"))
    pid = read_pid(tmp_path / "pid")
    jobs.running_pod("doomed")
    process_node.kill()
    wait_for(lambda: not is_running(pid), "the process is gone")
    process_node.start()
    assert jobs.finished("doomed")["type"] == "Failed"
    (pod,) = jobs.pods("Failed")
    assert container_state(pod)["terminated"]["reason"] == "ContainerStatusUnknown"


def test_a_simulation_stands_for_the_pods_commands(jobs: Jobs, control_plane: ControlPlane, namespace: str) -> None:
    simulation = "tests.support_checks.simulations:exit_as_told"
    with ProcessNode(control_plane, name="simulated-node", simulation=simulation):
        for name, arguments in (("good", ["0"]), ("bad", ["7"]), ("raising", ["no number"]), ("endless", [])):
            simulated = job(name, args=arguments)
            simulated["spec"]["template"]["spec"]["nodeSelector"] = {"kubernetes.io/hostname": "simulated-node"}
            jobs.create(simulated)
        assert jobs.finished("good")["type"] == "Complete"
        assert "exit code 7" in jobs.finished("bad")["message"]
        assert "exit code 1" in jobs.finished("raising")["message"]
        assert "ValueError" in control_plane.kubectl("logs", "job/raising", "-n", namespace)
        jobs.running_pod("endless")
        assert control_plane.kubectl("logs", "job/endless", "-n", namespace) == "simulated endless\n"
        jobs.delete("endless")
        wait_for(lambda: len(jobs.pods()) == 3, "the endless pod is gone")
