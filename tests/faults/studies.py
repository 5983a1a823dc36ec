"""The studies of the fault suite."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tests.api.studies import study
from tests.faults.trainer import METRIC, PLAN_VARIABLE, STEP, TrainerPlan


def simulated_study(name: str, plan: TrainerPlan, ttl: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a study whose pods do as planned, and whose Jobs stay for `ttl`; `spec` and its `trial` go over that."""
    environment = [{"name": PLAN_VARIABLE, "value": json.dumps(asdict(plan))}]
    container = {"name": "trainer", "image": "trainer", "command": ["python"], "env": environment}
    trial = {"template": {"spec": {"containers": [container]}}, "ttlAfterFinished": ttl, **spec.get("trial", {})}
    if plan.prints:
        trial["metrics"] = {"source": "Logs", "logs": {"step": STEP}}
    fields = {
        "objectives": [{"metric": METRIC, "direction": "Maximize"}],
        "search": {"sampler": {"name": "Random"}, "seed": 1},
        "maxTrials": 12,
        "parallelism": 4,
    }
    return study(name, **{**fields, **spec, "trial": trial})


def plan_of(document: Mapping[str, Any]) -> TrainerPlan:
    """Return what a study's pods do."""
    container = document["spec"]["trial"]["template"]["spec"]["containers"][0]
    return TrainerPlan(**json.loads(container["env"][0]["value"]))
