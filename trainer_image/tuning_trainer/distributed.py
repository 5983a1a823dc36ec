"""Distributed training: one process of a trial reports and saves, all of them get the same answer."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import ModuleType
from typing import TypeVar

Answer = TypeVar("Answer")


def is_reporting_rank(environ: Mapping[str, str]) -> bool:
    """Whether this process speaks for its trial: rank 0, by the variable that torchrun and its likes set.

    Lightning's own launcher does not set it, but the rank on the node and the node's.
    """
    ranks = ("RANK",) if environ.get("RANK", "").strip() else ("LOCAL_RANK", "NODE_RANK")
    return all(environ.get(name, "0").strip() in ("", "0") for name in ranks)


def is_saving_rank(environ: Mapping[str, str]) -> bool:
    """Whether this process writes its trial's checkpoints: rank 0, by the process group where there is one."""
    distributed = _process_group()
    return is_reporting_rank(environ) if distributed is None else distributed.get_rank() == 0


def agree(answer: Answer) -> Answer:
    """Return rank 0's answer on every rank.

    This is a collective operation where PyTorch's process group is initialised: all ranks must call it equally often.
    Elsewhere it returns what it got.
    """
    distributed = _process_group()
    if distributed is None:
        return answer
    answers = [answer]
    distributed.broadcast_object_list(answers, src=0)
    return answers[0]


def _process_group() -> ModuleType | None:
    """Return `torch.distributed` where the script initialised it; nothing is imported to find out."""
    distributed = sys.modules.get("torch.distributed")
    return distributed if distributed and distributed.is_available() and distributed.is_initialized() else None
