"""What is computed: cells, each a study of one method on one function with one seed; results are lines of JSON."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.search.functions import FUNCTIONS
from benchmarks.search.methods import POPULATIONS, PRUNERS, SAMPLERS, Pruning
from benchmarks.search.training import Reporting

PRODUCT, LIBRARY, TWIN = "product", "optuna", "optuna-reseeded"
"""This project; Optuna as it is; and Optuna with this project's random numbers, which shows whether anything else
differs."""
SIDES = (PRODUCT, LIBRARY, TWIN)

WITHOUT_PRUNER = "-"
"""Trials report at their end only."""

_PRUNED_FUNCTIONS = ("hartmann", "network", "noisy")
_PRUNED_PARALLELISM = 8
_POPULATIONS_FUNCTIONS = ("hartmann", "network")


@dataclass(frozen=True)
class Cell:
    """A study."""

    side: str
    sampler: str
    pruner: str
    """Or the strategy, which has the sampler's place; its new configurations are random."""
    function: str
    parallelism: int
    seed: int

    @property
    def evaluations(self) -> int:
        """How many trials it has: with a sampler alone at least twice as many as run at a time."""
        if self.pruner == WITHOUT_PRUNER:
            return max(SAMPLERS[self.sampler].evaluations, 2 * self.parallelism)
        return (POPULATIONS.get(self.pruner) or PRUNERS[self.pruner]).evaluations

    @property
    def reporting(self) -> Reporting:
        """What trials report."""
        if self.pruner == WITHOUT_PRUNER:
            return Reporting.END
        return (POPULATIONS.get(self.pruner) or PRUNERS[self.pruner]).reporting


@dataclass(frozen=True)
class Result:
    """How a study went."""

    cell: Cell
    improvements: Sequence[tuple[int, float, float]]
    """Whenever a trial that ended was the best so far by its report: (trials that had ended, seconds since the start,
    how far its parameters are above the minimum, without noise)."""
    seconds: float
    """Simulated, to the end of the last trial."""
    gpu_seconds: float
    """Simulated, of all trials."""
    pruned: int
    cpu_seconds: float
    """Real, of this study."""

    @property
    def regret(self) -> float:
        """How far the best trial is above the minimum; infinite: there was none that ended."""
        return self.improvements[-1][2] if self.improvements else float("inf")

    def reached(self, target: float) -> tuple[int, float] | None:
        """Return after how many trials and seconds the best trial was so near to the minimum; None: never."""
        return next(((ended, seconds) for ended, seconds, regret in self.improvements if regret <= target), None)

    def to_line(self) -> str:
        """Return the result as a line of JSON."""
        improvements = [[ended, round(seconds), float(f"{regret:.6g}")] for ended, seconds, regret in self.improvements]
        document = {
            **asdict(self.cell),
            "improvements": improvements,
            "seconds": round(self.seconds),
            "gpu_seconds": round(self.gpu_seconds),
            "pruned": self.pruned,
            "cpu_seconds": round(self.cpu_seconds, 3),
        }
        return json.dumps(document, separators=(",", ":"))

    @classmethod
    def from_line(cls, line: str) -> Result:
        """Read what `to_line` returned."""
        document: dict[str, Any] = json.loads(line)
        cell = Cell(**{name: document.pop(name) for name in Cell.__dataclass_fields__})
        document["improvements"] = [tuple(each) for each in document["improvements"]]
        return cls(cell, **document)


def read(files: Iterable[Path]) -> dict[Cell, Result]:
    """Return the results of files, compressed or not, which may share cells; half a line of a killed run is no harm."""
    results = {}
    for file in files:
        text = gzip.decompress(file.read_bytes()).decode() if file.suffix == ".gz" else file.read_text()
        for line in text.splitlines():
            try:
                result = Result.from_line(line)
            except (ValueError, KeyError, TypeError):
                continue
            results[result.cell] = result
    return results


def all_cells(seeds: Sequence[int]) -> Iterator[Cell]:
    """Return all cells, the most telling first."""
    for sampler in ("TPE", "Random", "CMAES", "QMC", "NSGAII", "NSGAIII"):
        yield from _of_sampler(sampler, seeds, (PRODUCT, LIBRARY))
    yield from _of_pruners(seeds)
    yield from _of_populations(seeds)
    yield from _of_sampler("Grid", seeds, (PRODUCT, LIBRARY))
    for sampler in ("TPE", "NSGAII", "NSGAIII", "CMAES", "Random"):
        yield from _of_sampler(sampler, seeds, (TWIN,))
    yield from _of_sampler("GP", seeds, SIDES)


def _of_sampler(sampler: str, seeds: Sequence[int], sides: Sequence[str]) -> Iterator[Cell]:
    for seed in seeds:
        for function in FUNCTIONS.values():
            if not SAMPLERS[sampler].takes(function):
                continue
            for parallelism in SAMPLERS[sampler].parallelism:
                for side in sides:
                    yield Cell(side, sampler, WITHOUT_PRUNER, function.name, parallelism, seed)


def _of_pruners(seeds: Sequence[int]) -> Iterator[Cell]:
    for seed in seeds:
        for sampler in ("Random", "TPE"):
            for function in _PRUNED_FUNCTIONS:
                for pruner, pruning in PRUNERS.items():
                    for side in _sides(sampler, pruning):
                        yield Cell(side, sampler, pruner, function, _PRUNED_PARALLELISM, seed)


def _of_populations(seeds: Sequence[int]) -> Iterator[Cell]:
    for seed in seeds:
        for function in _POPULATIONS_FUNCTIONS:
            for name, population in POPULATIONS.items():
                if population.takes(FUNCTIONS[function]):
                    yield Cell(PRODUCT, "Random", name, function, _PRUNED_PARALLELISM, seed)


def _sides(sampler: str, pruning: Pruning) -> Sequence[str]:
    if pruning.library is None:
        return (PRODUCT,) if sampler == "Random" else ()
    return SIDES
