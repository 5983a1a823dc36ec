from __future__ import annotations

import pytest

from tests.trainer.fake_operator import Answer, FakeOperator, free_port
from tests.trainer.scripts import Script, finished
from tuning_contract import FinalState, ReportReply, TrialEnd
from tuning_trainer.distributed import agree, is_reporting_rank

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


@pytest.mark.parametrize("answer", [True, False])
def test_a_single_process_agrees_with_itself(answer: bool) -> None:
    assert agree(answer) is answer


@pytest.mark.training
def test_all_ranks_get_the_answer_of_rank_zero(operator: FakeOperator, script: Script) -> None:
    operator.answers.append(Answer(body=ReportReply(stop=True, reason="Pruned").to_json()))
    group = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "OMP_NUM_THREADS": "1"}
    processes = [script.start(TRAIN, environ={**group, "RANK": str(rank)}) for rank in (0, 1)]
    results = [finished(process) for process in processes]
    assert [(result.returncode, result.stdout) for result in results] == [(0, "pruned\n")] * 2, results
    assert operator.steps == [1]
    assert operator.ends == [TrialEnd(FinalState.PRUNED)]
