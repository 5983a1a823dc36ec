"""The studies of the fault suite."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tests.api.studies import study
from tests.faults.trainer import METRIC, PLAN_VARIABLE, TrainerPlan


def simulated_study(name: str, plan: TrainerPlan, ttl: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a study whose pods do as planned, and whose Jobs stay for `ttl`; `spec` goes over what it has."""
    environment = [{"name": PLAN_VARIABLE, "value": json.dumps(asdict(plan))}]
    container = {"name": "trainer", "image": "trainer", "command": ["python"], "env": environment}
    fields = {
        "objectives": [{"metric": METRIC, "direction": "Maximize"}],
        "search": {"sampler": {"name": "Random"}, "seed": 1},
        "maxTrials": 12,
        "parallelism": 4,
        "trial": {"template": {"spec": {"containers": [container]}}, "ttlAfterFinished": ttl},
    }
    return study(name, **{**fields, **spec})
