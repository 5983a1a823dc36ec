"""Examples as tests run them: a few short trials."""

from __future__ import annotations

from typing import Any

from tuning_operator.api.samplers import INHERITING

SMALL: dict[str, dict[str, Any]] = {
    "SynchronousHyperband": {"minResource": 3, "maxResource": 6, "reductionFactor": 2},
    "PopulationBasedTraining": {"populationSize": 2, "interval": 3, "generations": 2},
    "MIHA": {"cycles": 1, "populationSize": 2, "epochsPerIndividual": 1, "fixingEpochs": 1, "runupEpochs": 3},
    "RegularizedEvolution": {"populationSize": 2, "sampleSize": 2},
}
"""Options with which a strategy shows what it does in a few trials."""


def shorten(study: dict[str, Any], trials: int) -> bool:
    """Shorten a study; return whether it has a strategy that comes to its end by itself."""
    spec = study["spec"]
    sampler = spec.get("search", {}).get("sampler", {})
    if sampler.get("name") in SMALL:
        sampler["options"] |= SMALL[sampler["name"]]
    if sampler.get("name") in {name.value for name in INHERITING}:
        return True
    spec["maxTrials"], spec["parallelism"] = min(trials, spec["maxTrials"]), min(trials, spec.get("parallelism", 1))
    return False
