"""Local processes keep the promises of the port `TrialJobs`, like the cluster's Jobs."""

from __future__ import annotations

import asyncio
import copy
import os
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster_api.manifests import job_manifest
from tests.cluster_api.trial_jobs_suite import TrialJobsSuite, until
from tests.local.processes import is_running
from tuning_operator.clock import SystemClock
from tuning_operator.decisions.seen_jobs import JobPhase
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import JobRefused
from tuning_operator.local.checkpoints import CheckpointFolders
from tuning_operator.local.processes import LocalTrialJobs
from tuning_operator.ports import Manifest

STUDY = StudyKey("local", "digits", str(uuid.uuid4()))

UNTIL_TOLD = """
import pathlib, sys, time
order = pathlib.Path(sys.argv[1])
while not order.exists():
    time.sleep(0.01)
sys.exit(int(order.read_text()))
"""
"""A program that runs until a file says with which status it should exit."""

SHOWS_ITS_PID = """
import os, pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path(sys.argv[1]).write_text(f"{os.getpid()} {child.pid}")
if sys.argv[2] == "stay":
    time.sleep(600)
"""
"""A program with a child, like a trainer with a data loader."""

DEAF = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).write_text("deaf")
time.sleep(600)
"""


class LocalWorld:
    """Processes and the files that end them."""

    def __init__(self, directory: Path) -> None:
        self.changes: list[str] = []
        self.jobs = LocalTrialJobs(
            directory / "logs",
            CheckpointFolders(directory / "checkpoints"),
            SystemClock(),
            self.changes.append,
            at_once=2,
        )
        self.study = STUDY
        self.other_study = StudyKey("local", "other", str(uuid.uuid4()))
        self._directory = directory

    def manifest(
        self, study: StudyKey, trial: int, attempt: int = 1, runs: int = 1, at_once: int | None = None
    ) -> Manifest:
        manifest = job_manifest(study, trial, attempt, runs, at_once)
        run = {"name": "RUN", "value": "$(TUNING_RUN)" if runs > 1 else "0"}
        order = self._directory / f"{manifest['metadata']['name']}-$(RUN).exit"
        return with_container(manifest, command=[sys.executable, "-c", UNTIL_TOLD], args=[str(order)], env=[run])

    def unacceptable_manifest(self, study: StudyKey) -> Manifest:
        return with_container(job_manifest(study, 0), command=None)

    async def run(self, name: str) -> None:
        """Processes run at once."""

    async def end(self, name: str, exit_code: int, run: int = 0) -> None:
        order = self._directory / f"{name}-{run}.new"
        order.write_text(str(exit_code))
        order.rename(self._directory / f"{name}-{run}.exit")

    async def remove(self, name: str) -> None:
        """Nobody else has these Jobs: the nearest to it is a deletion that was asked for."""
        for study in (self.study, self.other_study):
            await self.jobs.delete(study, name)


def with_container(manifest: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return the manifest with other fields in its container; None removes one."""
    changed = copy.deepcopy(manifest)
    container = changed["spec"]["template"]["spec"]["containers"][0]
    container.update(fields)
    for name in [name for name, value in fields.items() if value is None]:
        del container[name]
    return changed


def program(code: str, *arguments: str, **fields: Any) -> dict[str, Any]:
    """Return the Job of a Python program."""
    return with_container(job_manifest(STUDY, 0), command=[sys.executable, "-c", code], args=[*arguments], **fields)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[LocalWorld]:
    world = LocalWorld(tmp_path)
    yield world
    await world.jobs.close()


class TestLocalTrialJobs(TrialJobsSuite):
    """The suite, with the fixture above."""


async def test_whoever_watches_is_told_of_an_end(world: LocalWorld) -> None:
    await world.jobs.create(STUDY, program("pass"))
    await until(lambda: bool(world.changes), "nobody is told")
    assert world.changes == [STUDY.uid]


async def test_output_goes_to_the_jobs_log(world: LocalWorld) -> None:
    manifest = program("import sys; print('hello'); print('help', file=sys.stderr)")
    await world.jobs.create(STUDY, manifest)
    await until(lambda: bool(world.changes), "the process does not end")
    assert sorted(world.jobs.log_file(manifest["metadata"]["name"]).read_text().split()) == ["hello", "help"]


async def test_variables_are_expanded_as_kubernetes_does(world: LocalWorld, tmp_path: Path) -> None:
    manifest = program(
        "import os, pathlib, sys; pathlib.Path(sys.argv[1]).write_text('|'.join([os.environ['B'], *sys.argv[2:]]))",
        str(tmp_path / "seen"),
        "--rate=$(A)",
        "$$(A)",
        "$(NOBODY)",
        "$(B)",
        env=[{"name": "A", "value": "0.1"}, {"name": "B", "value": "<$(A)>"}],
    )
    await world.jobs.create(STUDY, manifest)
    await until(lambda: bool(world.changes), "the process does not end")
    assert (tmp_path / "seen").read_text() == "<0.1>|--rate=0.1|$(A)|$(NOBODY)|<0.1>"


async def test_python_is_the_one_that_runs_the_study_with_few_threads(world: LocalWorld, tmp_path: Path) -> None:
    code = "import os, pathlib, sys; pathlib.Path(sys.argv[1]).write_text(sys.prefix + os.environ['OMP_NUM_THREADS'])"
    manifest = with_container(program(code, str(tmp_path / "seen")), command=["python", "-c", code])
    await world.jobs.create(STUDY, manifest)
    await until(lambda: bool(world.changes), "the process does not end")
    assert (tmp_path / "seen").read_text() == sys.prefix + "1"


async def test_a_container_without_a_command_is_refused_with_a_way_out(world: LocalWorld) -> None:
    with pytest.raises(JobRefused, match=r"no `command`.*write the command into the template"):
        await world.jobs.check(STUDY, with_container(job_manifest(STUDY, 0), command=None))


async def test_a_value_from_the_cluster_is_refused_with_the_variables_name(world: LocalWorld) -> None:
    secret = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}}
    with pytest.raises(JobRefused, match=r"the variable TOKEN comes from the cluster .*give it a `value`"):
        await world.jobs.check(STUDY, program("pass", env=[secret]))


async def test_a_command_that_is_not_installed_is_refused(world: LocalWorld) -> None:
    with pytest.raises(JobRefused, match=r"'no-such-trainer' of the template is not installed"):
        await world.jobs.check(STUDY, with_container(job_manifest(STUDY, 0), command=["no-such-trainer"]))


async def test_a_command_that_cannot_be_executed_fails_its_job(world: LocalWorld, tmp_path: Path) -> None:
    broken = tmp_path / "trainer"
    broken.write_text("#!/no/such/interpreter\n")
    broken.chmod(0o755)
    await world.jobs.create(STUDY, with_container(job_manifest(STUDY, 0), command=[str(broken)]))
    await until(lambda: bool(world.changes), "the process does not end")
    (job,) = world.jobs.observed(STUDY)
    assert job.phase is JobPhase.FAILED
    assert job.exit_code in (126, 127)


async def test_a_killed_process_fails_with_the_exit_code_of_its_signal(world: LocalWorld) -> None:
    await world.jobs.create(STUDY, program("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))
    await until(lambda: bool(world.changes), "the process does not end")
    (job,) = world.jobs.observed(STUDY)
    assert job.exit_code == 137


async def test_what_a_process_leaves_behind_is_ended_with_it(world: LocalWorld, tmp_path: Path) -> None:
    await world.jobs.create(STUDY, program(SHOWS_ITS_PID, str(tmp_path / "pids"), "leave"))
    await until(lambda: bool(world.changes), "the process does not end")
    _, child = (tmp_path / "pids").read_text().split()
    await until(lambda: not is_running(int(child)), "the child outlives its parent")


async def test_deleting_ends_children_too(world: LocalWorld, tmp_path: Path) -> None:
    manifest = program(SHOWS_ITS_PID, str(tmp_path / "pids"), "stay")
    await world.jobs.create(STUDY, manifest)
    await until(lambda: _has_text(tmp_path / "pids"), "the process does not start")
    await world.jobs.delete(STUDY, manifest["metadata"]["name"])
    await until(lambda: not world.jobs.observed(STUDY), "the Job stays")
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    await until(lambda: not any(is_running(pid) for pid in pids), "a process outlives its Job")


async def test_a_process_that_ignores_the_request_to_end_is_killed(
    world: LocalWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuning_operator.local.job_processes.TERMINATION_GRACE_SECONDS", 0.1)
    manifest = program(DEAF, str(tmp_path / "deaf"))
    await world.jobs.create(STUDY, manifest)
    await until(lambda: _has_text(tmp_path / "deaf"), "the process does not start")
    await world.jobs.delete(STUDY, manifest["metadata"]["name"])
    await until(lambda: not world.jobs.observed(STUDY), "the Job stays")


async def test_trials_that_start_at_once_share_a_guard(tmp_path: Path) -> None:
    world = LocalWorld(tmp_path)
    await asyncio.gather(*(world.jobs.create(STUDY, world.manifest(STUDY, trial)) for trial in range(3)))
    children = [pid for pid in _children() if "tuning_operator/local/guard.py" in _command(pid)]
    await world.jobs.close()
    assert len(children) == 1
    assert not is_running(children[0])


async def test_a_run_goes_on_when_its_guard_is_killed(world: LocalWorld) -> None:
    first, second = world.manifest(STUDY, 0), world.manifest(STUDY, 1)
    await world.jobs.create(STUDY, first)
    await _kill_guard(world)
    await world.end(first["metadata"]["name"], 0)
    await until(lambda: len(world.changes) == 1, "nobody is told of the end")
    await world.jobs.create(STUDY, second)
    await world.end(second["metadata"]["name"], 0)
    await until(lambda: len(world.changes) == 2, "nobody is told of the end")
    assert [job.phase for job in world.jobs.observed(STUDY)] == [JobPhase.COMPLETE] * 2


async def test_a_new_guard_ends_what_began_under_a_killed_one(world: LocalWorld, tmp_path: Path) -> None:
    await world.jobs.create(STUDY, program(SHOWS_ITS_PID, str(tmp_path / "pids"), "stay"))
    await until(lambda: _has_text(tmp_path / "pids"), "the process does not start")
    await _kill_guard(world)
    await world.jobs.create(STUDY, world.manifest(STUDY, 1))
    await world.jobs._guarded.close()  # as with the runner's death
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    await until(lambda: not any(is_running(pid) for pid in pids), "a process outlives its runner")


async def test_closing_ends_all_processes(tmp_path: Path) -> None:
    world = LocalWorld(tmp_path)
    await world.jobs.create(STUDY, program(SHOWS_ITS_PID, str(tmp_path / "pids"), "stay"))
    await until(lambda: _has_text(tmp_path / "pids"), "the process does not start")
    await world.jobs.close()
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    await until(lambda: not any(is_running(pid) for pid in pids), "a process outlives its runner")


async def _kill_guard(world: LocalWorld) -> None:
    guard = world.jobs._guarded._guard
    assert guard is not None
    guard.kill()
    await until(lambda: guard.returncode is not None, "the guard lives on")


def _children() -> list[int]:
    me = os.getpid()
    return [int(pid) for pid in Path(f"/proc/{me}/task/{me}/children").read_text().split()]


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def _has_text(path: Path) -> bool:
    return path.exists() and path.read_text() != ""


RUN_VARIABLES = [{"name": "SEED", "value": "12$(TUNING_RUN)"}]


async def test_each_run_is_told_which_it_is_and_has_a_log_and_a_directory_of_its_own(world: LocalWorld) -> None:
    code = "import os; print(*(os.environ[name] for name in ('TUNING_RUN', 'SEED', 'TUNING_CHECKPOINT_DIR')))"
    manifest = with_container(
        job_manifest(STUDY, 3, runs=2), command=[sys.executable, "-c", code], args=[], env=RUN_VARIABLES
    )
    await world.jobs.create(STUDY, manifest)
    await until(lambda: bool(world.changes), "the processes do not end")
    printed = [world.jobs.log_file(manifest["metadata"]["name"], run).read_text().split() for run in range(2)]
    assert [words[:2] for words in printed] == [["0", "120"], ["1", "121"]]
    assert [Path(words[2]).parts[-2:] for words in printed] == [("3", "run-0"), ("3", "run-1")]


async def test_runs_beyond_the_places_start_as_others_end(world: LocalWorld) -> None:
    manifest = world.manifest(STUDY, 0, runs=4)
    name = manifest["metadata"]["name"]
    await world.jobs.create(STUDY, manifest)
    assert [world.jobs.log_file(name, run).exists() for run in range(4)] == [True, True, False, False]
    await world.end(name, 0, run=1)
    await until(lambda: world.jobs.log_file(name, 2).exists(), "the third run does not start")
    assert not world.jobs.log_file(name, 3).exists()
    for run in (0, 2, 3):
        await world.end(name, 0, run=run)
    await until(lambda: bool(world.changes), "the Job does not end")
    assert [job.phase for job in world.jobs.observed(STUDY)] == [JobPhase.COMPLETE]


async def test_a_job_has_no_more_processes_at_once_than_it_asks_for(world: LocalWorld) -> None:
    manifest = world.manifest(STUDY, 0, runs=3, at_once=1)
    name = manifest["metadata"]["name"]
    await world.jobs.create(STUDY, manifest)
    assert [world.jobs.log_file(name, run).exists() for run in range(3)] == [True, False, False]
    for run in range(3):
        await until(world.jobs.log_file(name, run).exists, "the next run does not start")
        await world.end(name, 0, run=run)
    await until(lambda: bool(world.changes), "the Job does not end")
    assert [job.phase for job in world.jobs.observed(STUDY)] == [JobPhase.COMPLETE]


async def test_a_run_that_fails_ends_the_others_and_starts_no_more(world: LocalWorld) -> None:
    manifest = world.manifest(STUDY, 0, runs=3)
    name = manifest["metadata"]["name"]
    await world.jobs.create(STUDY, manifest)
    await world.end(name, 4, run=1)
    await until(lambda: bool(world.changes), "the Job does not end")
    (job,) = world.jobs.observed(STUDY)
    assert (job.exit_code, job.message) == (4, "the process of run 1 exited with code 4")
    assert not world.jobs.log_file(name, 2).exists()
