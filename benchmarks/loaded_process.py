"""Processes with a history in memory, which print what they hold: one of the operator, one of Optuna alone.

`operator`: the operator's modules, the history with its running trials, their Jobs as the watch keeps them, and the
report endpoint with an open connection for each running trial. `optuna`: Optuna's storage after a look at all trials.
The figures are in MB: after the imports, at the end, and the most at any time.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_TRIALS = 100_000
"""A study's `maxTrials` that never ends it."""


@dataclass(frozen=True)
class Memory:
    """What a process held, in MB."""

    imports: float
    loaded: float
    most: float


def resident() -> dict[str, float]:
    """Return the memory of this process now (`VmRSS`) and at its largest (`VmHWM`), in MB."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) / 1_000 for words in lines if words[0] in ("VmRSS:", "VmHWM:")}


async def hold_operator(url: str) -> Memory:
    """Hold what an operator holds."""
    from benchmarks import http_load
    from benchmarks.histories import STUDY, spec
    from benchmarks.http_load import Load
    from benchmarks.report_servers import report_endpoint
    from tuning_operator.clock import SystemClock
    from tuning_operator.cluster.job_cache import JobCache
    from tuning_operator.handlers import main as _operator  # noqa: F401 - its modules are part of what is measured
    from tuning_operator.interpreter import prepare_interpreter
    from tuning_operator.search.repositories import StudyRepositories

    prepare_interpreter()
    imports = resident()["VmRSS"]
    repositories = StudyRepositories(url)
    cache = JobCache(SystemClock(), lambda _uid: None)
    try:
        repository = await repositories.open(STUDY, spec(_TRIALS))
        running = [trial.number for trial in repository.history().open]
        for number in running:
            cache.put(_job(number))
        async with report_endpoint(repositories, running) as (port, targets):
            await http_load.send(Load(port, targets, len(running), seconds=2.0, rate=len(running), first_step=1_000))
            held = resident()
        return Memory(imports, held["VmRSS"], held["VmHWM"])
    finally:
        await repositories.aclose()


def _job(number: int) -> dict[str, object]:
    from benchmarks.histories import STUDY, spec
    from tuning_operator.decisions.report_access import ReportAccess
    from tuning_operator.decisions.trial_job import trial_job
    from tuning_operator.decisions.trials import OpenTrial

    access = ReportAccess("http://operator", "token")
    manifest = trial_job(STUDY, spec(_TRIALS), OpenTrial(number, {"learning_rate": 0.5}), access)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    metadata = {**manifest["metadata"], "namespace": STUDY.namespace, "uid": f"job-{number}"}
    return {**manifest, "metadata": {**metadata, "creationTimestamp": created}}


def hold_optuna(url: str) -> Memory:
    """Hold what Optuna's storage caches."""
    import optuna

    imports = resident()["VmRSS"]
    storage = optuna.storages.RDBStorage(url)
    trials: list[Sequence[object]] = [
        storage.get_all_trials(study._study_id, deepcopy=False) for study in storage.get_all_studies()
    ]
    held = resident()
    assert trials
    return Memory(imports, held["VmRSS"], held["VmHWM"])


if __name__ == "__main__":
    kind, database = sys.argv[1:]
    found = asyncio.run(hold_operator(database)) if kind == "operator" else hold_optuna(database)
    print(json.dumps(vars(found)))
