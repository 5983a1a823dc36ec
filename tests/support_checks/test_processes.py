from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import processes
from tests.support.processes import ManagedProcess, ProcessFailed, free_ports

from .waiting import is_running, wait_for

ROOT = Path(__file__).parents[2]

STARTS_A_SHELL_WITH_A_CHILD_FROM_A_THREAD_THAT_ENDS = """
import sys, threading, time
from pathlib import Path
from tests.support.guard import guard
from tests.support import processes
from tests.support.processes import ManagedProcess
guard.remove(Path(sys.argv[1]).parent)
shell = ManagedProcess("shell", ["sh", "-c", "sleep 600 & echo $!; wait"], Path(sys.argv[1]))
thread = threading.Thread(target=shell.start)
thread.start()
thread.join()
print(shell.pid, flush=True)
time.sleep(600)
"""


def test_a_killed_parent_leaves_no_child_no_grandchild_and_no_folder(tmp_path: Path) -> None:
    log = tmp_path / "run" / "log"
    log.parent.mkdir()
    command = [sys.executable, "-c", STARTS_A_SHELL_WITH_A_CHILD_FROM_A_THREAD_THAT_ENDS, str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout is not None
        shell = int(parent.stdout.readline())
        sleeper = int(wait_for(lambda: log.read_text().strip(), "the shell has started its child"))
        assert is_running(shell)
        assert is_running(sleeper)
        parent.kill()
    wait_for(lambda: not is_running(shell), "the shell is gone")
    wait_for(lambda: not is_running(sleeper), "the sleeper is gone")
    wait_for(lambda: not log.parent.exists(), "the folder is gone")


def test_a_process_that_ended_early_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    process = ManagedProcess("broken", ["sh", "-c", "echo no such flag; exit 3"], tmp_path / "log")
    process.start()
    wait_for(lambda: not process.running, "the process ends")
    with pytest.raises(ProcessFailed, match=r"broken is not running \(exit code 3\)(.|\n)*no such flag"):
        process.check()


def test_terminate_kills_what_ignores_the_request(tmp_path: Path) -> None:
    stubborn = "trap '' TERM; sleep 600 & echo $!; wait"
    process = ManagedProcess("stubborn", ["sh", "-c", stubborn], tmp_path / "log")
    process.start()
    child = int(wait_for(lambda: process.log_file.read_text().strip(), "the trap is set"))
    process.terminate(grace_s=0.2)
    assert not process.running
    wait_for(lambda: not is_running(child), "its child is gone, too")


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


CHOOSES_PORTS_AMONG_THESE = """
import random, sys
random.SystemRandom.randrange = lambda self, *_, numbers=iter(map(int, sys.argv[1:])): next(numbers)
from tests.support import processes
from tests.support.processes import free_ports
print(*free_ports(1))
"""


def test_a_port_given_away_is_not_given_to_another_process_before_its_server_listens() -> None:
    taken, free = free_ports(2)
    reservations = [socket for socket in processes._reservations if socket.getsockname()[1] == free]
    reservations[0].close()
    chosen = subprocess.run(
        [sys.executable, "-c", CHOOSES_PORTS_AMONG_THESE, str(taken), str(free)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert int(chosen.stdout) == free
