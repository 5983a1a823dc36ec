"""Samplers with heavy libraries are asked in a process of their own."""

from __future__ import annotations

import asyncio
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.search.drafting import Drafting
from tests.search.studies import outcome, study_spec
from tests.search.worlds import DatabaseWorld
from tuning_operator.api.samplers import SamplerName
from tuning_operator.errors import SearchUnavailable
from tuning_operator.search import sampling
from tuning_operator.search.repository import StudyRepository
from tuning_operator.search.samplers import APART
from tuning_operator.search.search_calls import Call
from tuning_operator.search.search_process import _WORKER, SearchProcess

TPE = {"name": "TPE", "options": {"nStartupTrials": 2}}


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """TPE is asked there too: it has no heavy library, so that it starts soon."""
    monkeypatch.setattr(sampling, "APART", {SamplerName.TPE})


@pytest.fixture
async def study(sqlite_world: DatabaseWorld, apart: None) -> StudyRepository:
    sqlite_world.spec = study_spec(search={"sampler": TPE, "seed": 3})
    return await sqlite_world.open()


def _process(study: StudyRepository) -> subprocess.Popen[bytes]:
    process = study._workers.search_process._process
    assert process is not None
    return process


async def test_it_suggests_what_this_process_would(study: StudyRepository, sqlite_world: DatabaseWorld) -> None:
    here = Drafting(sqlite_world.spec)
    for number in range(6):
        (trial,) = await study.ask(1)
        assert [trial.parameters] == here.ask(1)
        await study.tell([outcome(number, 0.1 * number)])
        here.tell([0.1 * number])


async def test_a_restart_of_the_operator_changes_no_suggestion(
    study: StudyRepository, sqlite_world: DatabaseWorld
) -> None:
    here = Drafting(sqlite_world.spec)
    for number in range(3):
        (trial,) = await study.ask(1)
        assert [trial.parameters] == here.ask(1)
        await study.tell([outcome(number, 0.1 * number)])
        here.tell([0.1 * number])
        study = await sqlite_world.reopen()


async def test_when_it_dies_another_one_goes_on(study: StudyRepository, sqlite_world: DatabaseWorld) -> None:
    here = Drafting(sqlite_world.spec)
    await study.ask(2)
    _process(study).kill()
    with pytest.raises(SearchUnavailable, match="started again"):
        await study.ask(1)
    assert study.history().total == 2
    trials = await study.ask(1)
    assert [trial.parameters for trial in trials] == here.ask(3)[2:]


@pytest.mark.parametrize(("given", "expected"), [(None, "1"), ("3", "3")])
async def test_its_libraries_use_one_thread_unless_they_are_told_otherwise(
    study: StudyRepository, monkeypatch: pytest.MonkeyPatch, given: str | None, expected: str
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    await study.ask(1)
    path = Path(f"/proc/{_process(study).pid}/environ")
    environment = (await asyncio.to_thread(path.read_text)).split("\0")
    assert f"OMP_NUM_THREADS={expected}" in environment


async def test_it_ends_with_the_repositories(study: StudyRepository, sqlite_world: DatabaseWorld) -> None:
    await study.ask(1)
    process = _process(study)
    await sqlite_world.restart()
    assert process.returncode == -signal.SIGKILL


def test_a_call_that_is_under_way_when_it_ends_has_ended_too_and_none_follows(process: SearchProcess) -> None:
    calls = [process.thread.submit(process.call, 1, None, [], 1) for _ in range(2)]
    process.close()
    assert all(call.done() for call in calls)
    assert process._process is None
    with pytest.raises(SearchUnavailable, match="the program ends"):
        process.call(1, None, [], 1)


def test_it_ends_when_whoever_started_it_does_by_any_means() -> None:
    script = (
        "import os, subprocess, sys\n"
        "from tuning_operator.search.search_process import _WORKER\n"
        "subprocess.Popen([sys.executable, '-m', _WORKER], stdin=subprocess.PIPE)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    # It returns when the last process is gone that could write to the pipe.
    ended = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, timeout=60, check=False)
    assert ended.returncode == -signal.SIGKILL


def test_it_ends_without_a_word_when_nobody_is_there_for_its_answer() -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-m", _WORKER], stdin=pipe, stdout=pipe, stderr=pipe) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        assert worker.stderr is not None
        worker.stdout.close()
        pickle.dump(Call(1, None, [], 1, 0.0, [], None), worker.stdin)
        worker.stdin.close()
        assert worker.stderr.read() == b""
    assert worker.returncode == 0


def test_a_study_that_the_process_lost_with_the_one_before_is_asked_for_anew(process: SearchProcess) -> None:
    """Its first call went to a process that another study's call ended."""
    with pytest.raises(SearchUnavailable, match="was started again"):
        raise process.call(7, None, [], 1, 0.0).error or AssertionError


async def test_a_study_that_is_let_go_is_forgotten_there(study: StudyRepository, sqlite_world: DatabaseWorld) -> None:
    await study.ask(1)
    before = _process(study)
    await study.apply(study_spec(search={"sampler": TPE, "seed": 3}).model_copy(update={"parallelism": 2}))
    await study.ask(1)
    process = study._workers.search_process
    assert _process(study) is before
    assert isinstance(process.call(0, None, [], 1, 0.0).error, SearchUnavailable)


def test_pytorch_stays_out_of_this_process() -> None:
    script = (
        "import sys\n"
        "from tests.search.studies import study_spec\n"
        "from tuning_operator.search.suggester import Past\n"
        "from tuning_operator.search.search_process import RemoteAsking, SearchProcess\n"
        "spec = study_spec(search={'sampler': {'name': 'GP'}})\n"
        "RemoteAsking(Past('study', [], 1, spec, [], {}), SearchProcess())\n"
        "print({'scipy', 'torch'} & sys.modules.keys())\n"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "set()"


def test_what_is_asked_there_is_what_needs_it() -> None:
    assert {SamplerName.GP} == APART
