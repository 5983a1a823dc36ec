"""Distributed training: one process of a trial reports, all of them get the same answer."""

from __future__ import annotations

import sys
from collections.abc import Mapping


def is_reporting_rank(environ: Mapping[str, str]) -> bool:
    """Whether this process speaks for its trial: rank 0, by the variable that torchrun and its likes set.

    Lightning's own launcher does not set it, but the rank on the node and the node's.
    """
    ranks = ("RANK",) if environ.get("RANK", "").strip() else ("LOCAL_RANK", "NODE_RANK")
    return all(environ.get(name, "0").strip() in ("", "0") for name in ranks)


def agree(answer: bool) -> bool:
    """Return rank 0's answer on every rank.

    This is a collective operation where PyTorch's process group is initialised: all ranks must call it equally often.
    Elsewhere it returns what it got.
    """
    distributed = sys.modules.get("torch.distributed")
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return answer
    answers = [answer]
    distributed.broadcast_object_list(answers, src=0)
    return answers[0]
