"""All methods of search, for tests that run on each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.search.strategies import inheriting_spec
from tests.search.studies import study_spec
from tuning_operator.api.samplers import INHERITING, Crossover
from tuning_operator.api.study import StudySpec

MIXED: tuple[Mapping[str, Any], ...] = (
    {"name": "continuous", "type": "Float", "low": -1.5, "high": 2},
    {"name": "rate", "type": "Float", "low": 1e-5, "high": 1e-1, "scale": "Log"},
    {"name": "stepped", "type": "Float", "low": 0.1, "high": 0.9, "step": 0.1},
    {"name": "whole", "type": "Int", "low": -3, "high": 12, "step": 3},
    {"name": "units", "type": "Int", "low": 1, "high": 1000, "scale": "Log"},
    {"name": "single", "type": "Int", "low": 4, "high": 4},
    {"name": "choice", "type": "Categorical", "choices": ["a", True, 1, 0.5]},
    {"name": "flag", "type": "Categorical", "choices": [True, False]},
    {"name": "fixed", "type": "Fixed", "value": "as it is"},
)
FINITE = tuple(parameter for parameter in MIXED if parameter["name"] not in ("continuous", "rate"))
SQUARE = tuple({"name": name, "type": "Float", "low": 0, "high": 1} for name in ("x", "y"))

SAMPLERS: list[dict[str, Any]] = [
    {"name": "Random"},
    {"name": "Random", "options": {"unique": True}},
    {"name": "Grid", "options": {"points": 7}},
    {"name": "BruteForce"},
    {"name": "QMC"},
    {"name": "QMC", "options": {"qmcType": "Halton", "scramble": False}},
    {"name": "TPE", "options": {"nStartupTrials": 5}},
    {"name": "CMAES"},
    {"name": "CMAES", "options": {"popsize": 5, "withMargin": True, "nStartupTrials": 3}},
    {"name": "CMAES", "options": {"useSeparableCma": True}},
    {"name": "CMAES", "options": {"lrAdapt": True}},
    *(
        {"name": "NSGAII", "options": {"populationSize": 5, "crossover": crossover.value, "mutation": "Polynomial"}}
        for crossover in Crossover
    ),
    {"name": "NSGAIII", "options": {"populationSize": 5, "dividingParameter": 2, "mutationProb": 0.5}},
]
"""All but GP, which takes seconds for a trial; test_seeds.py has it."""

STRATEGIES: list[dict[str, Any]] = [
    {"name": "SynchronousHyperband", "options": {"maxResource": 9}},
    {"name": "SynchronousHyperband", "options": {"maxResource": 10, "reductionFactor": 2, "iterations": 2}},
    {"name": "SynchronousHyperband", "options": {"maxResource": 9, "sampler": "TPE", "iterations": 3}},
    {"name": "SynchronousHyperband", "options": {"maxResource": 9, "sampler": "QMC"}},
    {"name": "PopulationBasedTraining", "options": {"populationSize": 5, "interval": 2, "generations": 6}},
    {"name": "PopulationBasedTraining", "options": {"populationSize": 2, "interval": 1, "generations": 40}},
    {"name": "MIHA"},
    {"name": "MIHA", "options": {"cycles": 8, "populationSize": 6, "crossover": False, "keepUnchanged": True}},
    {"name": "MIHA", "options": {"mutate": ["rate", "stepped", "whole", "continuous"]}},
    {"name": "RegularizedEvolution", "options": {"populationSize": 8, "sampleSize": 3}},
    {"name": "RegularizedEvolution", "options": {"populationSize": 4, "sampleSize": 4, "onFailure": "Worst"}},
]

METHODS = [*SAMPLERS, *STRATEGIES]


def space_of(sampler: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Return a space that a sampler can search, with as many kinds of parameters as possible."""
    return FINITE if sampler["name"] == "BruteForce" else MIXED


TREE: tuple[Mapping[str, Any], ...] = (
    {"name": "layers", "type": "Int", "low": 1, "high": 3},
    {"name": "rate", "type": "Float", "low": 0.1, "high": 0.99, "scale": "ReverseLog"},
    {"name": "optimizer", "type": "Categorical", "choices": ["adam", "sgd"]},
    {"name": "momentum", "type": "Float", "low": 0, "high": 0.9, "when": {"parameter": "optimizer", "in": ["sgd"]}},
    {"name": "second", "type": "Int", "low": 4, "high": 64, "when": {"parameter": "layers", "in": [2, 3]}},
    {"name": "third", "type": "Categorical", "choices": [1, True], "when": {"parameter": "layers", "in": [3]}},
    {"name": "nested", "type": "Float", "low": 0, "high": 1, "step": 0.1, "when": {"parameter": "third", "in": [True]}},
)
"""Parameters that depend on others, and one whose scale runs backwards."""


def spec_of(method: Mapping[str, Any], space: tuple[Mapping[str, Any], ...] | None = None) -> StudySpec:
    """Return a study that is searched by a method, in a space that fits it if none is given."""
    parameters = space or space_of(method)
    if method["name"] in {name.value for name in INHERITING}:
        return inheriting_spec(method["name"], method.get("options", {}), parameters)
    return study_spec(parameters, {"sampler": method})
