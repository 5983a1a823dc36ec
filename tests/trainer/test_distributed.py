from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch
from torch.distributed import TCPStore

import tuning_trainer as tuning
from tests.trainer.fake_operator import Answer, FakeOperator
from tests.trainer.scripts import Script, finished
from tuning_contract import FinalState, ReportReply, TrialEnd
from tuning_trainer.distributed import agree, is_reporting_rank
from tuning_trainer.testing import fake_study

TRAIN = """\
import time
import torch.distributed as distributed
import tuning_trainer as tuning

distributed.init_process_group("gloo")
trial = tuning.current_trial()
trial.report({"loss": 0.5}, step=1)
while not trial.should_prune():
    time.sleep(0.01)
print("pruned", flush=True)
distributed.destroy_process_group()
trial.prune()
"""


@pytest.mark.parametrize(
    ("environ", "reports"),
    [
        ({}, True),
        ({"RANK": "0"}, True),
        ({"RANK": ""}, True),
        ({"RANK": "1"}, False),
        ({"RANK": "12"}, False),
        ({"RANK": "4", "LOCAL_RANK": "0"}, False),
        ({"LOCAL_RANK": "0", "NODE_RANK": "0"}, True),
        ({"LOCAL_RANK": "1", "NODE_RANK": "0"}, False),
        ({"LOCAL_RANK": "0", "NODE_RANK": "1"}, False),
    ],
)
def test_rank_zero_reports(environ: dict[str, str], reports: bool) -> None:
    assert is_reporting_rank(environ) is reports


SAVE = """\
import sys
import torch.distributed as distributed
import tuning_trainer as tuning

distributed.init_process_group("gloo")
trial = tuning.current_trial()
try:
    checkpoint = trial.resume()
    print("after", checkpoint and checkpoint.step, flush=True)
    trial.save({"rank": distributed.get_rank()}, step=1)
finally:  # its threads may abort a process that ends with an exception
    distributed.destroy_process_group()
"""


@pytest.mark.parametrize("answer", [True, False])
def test_a_single_process_agrees_with_itself(answer: bool) -> None:
    assert agree(answer) is answer


def on_two_ranks(script: Script, text: str, *trials: dict[str, str]) -> list[subprocess.CompletedProcess[str]]:
    """Run a script as two ranks of one process group, each with these fields of its environment.

    As with torchrun, the store where they meet is not one of theirs: it has its port before they start, and outlives
    whichever of them ends first.
    """
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    group = {
        "WORLD_SIZE": "2",
        "MASTER_ADDR": store.host,
        "MASTER_PORT": str(store.port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "OMP_NUM_THREADS": "1",
    }
    ranks = enumerate(trials)
    processes = [script.start(text, environ={**group, "RANK": str(rank)}, **fields) for rank, fields in ranks]
    return [finished(process) for process in processes]


@pytest.mark.training
def test_all_ranks_get_the_answer_of_rank_zero(operator: FakeOperator, script: Script) -> None:
    operator.answers.append(Answer(body=ReportReply(stop=True, reason="Pruned").to_json()))
    results = on_two_ranks(script, TRAIN, {}, {})
    assert [(result.returncode, result.stdout) for result in results] == [(0, "pruned\n")] * 2, results
    assert operator.steps == [1]
    assert operator.ends == [TrialEnd(FinalState.PRUNED)]


@pytest.mark.training
def test_rank_zero_saves_and_all_ranks_go_on_from_there(script: Script, tmp_path: Path) -> None:
    checkpoints = {"checkpoint_dir": str(tmp_path / "checkpoints")}
    for said in ("after None\n", "after 1\n"):
        results = on_two_ranks(script, SAVE, checkpoints, checkpoints)
        assert [(result.returncode, result.stdout) for result in results] == [(0, said)] * 2, results
    (file,) = (tmp_path / "checkpoints").iterdir()
    assert torch.load(file, weights_only=True) == {"rank": 0}


@pytest.mark.training
def test_a_rank_that_does_not_see_the_checkpoint_of_rank_zero_fails(script: Script, tmp_path: Path) -> None:
    with fake_study(checkpoint_dir=tmp_path / "leading"):
        tuning.current_trial().save({}, step=7)
    directories = ({"checkpoint_dir": str(tmp_path / name)} for name in ("leading", "other"))
    other = on_two_ranks(script, SAVE, *directories)[1]
    assert other.returncode == 1
    assert "rank 0 goes on after step 7, but this rank's newest readable checkpoint is of step 0" in other.stderr
