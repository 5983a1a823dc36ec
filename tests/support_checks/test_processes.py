from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import ManagedProcess, ProcessFailed, free_ports

from .waiting import wait_for

ROOT = Path(__file__).parents[2]

STARTS_A_SLEEPER_FROM_A_THREAD_THAT_ENDS = """
import sys, threading, time
from pathlib import Path
from tests.support.processes import ManagedProcess
sleeper = ManagedProcess("sleeper", ["sleep", "600"], Path(sys.argv[1]))
thread = threading.Thread(target=sleeper.start)
thread.start()
thread.join()
print(sleeper.pid, flush=True)
time.sleep(600)
"""


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state not in ("Z", "X")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux: only there a child can outlive nobody")
def test_a_child_survives_the_thread_that_started_it_and_ends_with_a_killed_parent(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STARTS_A_SLEEPER_FROM_A_THREAD_THAT_ENDS, str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout is not None
        sleeper = int(parent.stdout.readline())
        assert is_alive(sleeper)
        parent.kill()
    wait_for(lambda: not is_alive(sleeper), "the sleeper ends")


def group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_process_that_ended_early_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    process = ManagedProcess("broken", ["sh", "-c", "echo no such flag; exit 3"], tmp_path / "log")
    process.start()
    wait_for(lambda: not process.running, "the process ends")
    with pytest.raises(ProcessFailed, match=r"broken is not running \(exit code 3\)(.|\n)*no such flag"):
        process.check()


def test_terminate_kills_what_ignores_the_request(tmp_path: Path) -> None:
    stubborn = "trap '' TERM; echo ready; while true; do sleep 0.1; done"
    process = ManagedProcess("stubborn", ["sh", "-c", stubborn], tmp_path / "log")
    process.start()
    wait_for(lambda: "ready" in process.log_tail(), "the trap is set")
    pid = process.pid
    process.terminate(grace_s=0.2)
    assert not process.running
    wait_for(lambda: not group_exists(pid), "nothing is left of its group")


def test_a_started_process_is_not_started_twice(tmp_path: Path) -> None:
    process = ManagedProcess("sleeper", ["sleep", "600"], tmp_path / "log")
    process.start()
    pid = process.pid
    process.start()
    assert process.pid == pid
    process.kill()
    assert not process.running


def test_free_ports_are_distinct() -> None:
    assert len(set(free_ports(20))) == 20
