"""Functions to minimise whose minimum is known, each with the search space of a TuningStudy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

Point = Mapping[str, Any]


@dataclass(frozen=True)
class Function:
    """A function to minimise."""

    name: str
    title: str
    """With its dimensions, for tables and pictures."""
    parameters: Sequence[Mapping[str, Any]]
    """As a study's `spec.parameters` has them."""
    value: Callable[[Point], float]
    minimum: float
    minimiser: Point
    """One of the points where it is."""
    target: float
    """How far above the minimum is good enough: one random point in a thousand is as good, or of two objectives the
    front of a thousand."""
    spread: float
    """How far the median of random points is above the minimum."""
    noise: float = 0.0
    """Standard deviation of what a trial reports around the value."""
    second: Callable[[Point], float] | None = None
    """Another objective to minimise; None: there is one."""

    def values(self, point: Point) -> tuple[float, ...]:
        """Return the value of each objective."""
        return (self.value(point),) if self.second is None else (self.value(point), self.second(point))

    def regret(self, point: Point) -> float:
        """Return how far above the minimum a point is, whatever was reported of it; not below 0 by rounding."""
        return max(0.0, self.value(point) - self.minimum)


def _ranges(names: Sequence[str], low: float, high: float) -> list[dict[str, Any]]:
    return [{"name": name, "type": "Float", "low": low, "high": high} for name in names]


def _beale(point: Point) -> float:
    x, y = point["x"], point["y"]
    return float((1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2)


def _himmelblau(point: Point) -> float:
    x, y = point["x"], point["y"]
    return float((x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2)


def _branin(point: Point) -> float:
    x, y = point["x"], point["y"]
    bent = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return float(bent**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10)


def _rosenbrock(point: Point) -> float:
    x = list(point.values())
    return float(sum(100 * (b - a**2) ** 2 + (1 - a) ** 2 for a, b in pairwise(x)))


def _ackley(point: Point) -> float:
    x = list(point.values())
    distance = math.sqrt(sum(each**2 for each in x) / len(x))
    waves = sum(math.cos(2 * math.pi * each) for each in x) / len(x)
    return -20 * math.exp(-0.2 * distance) - math.exp(waves) + 20 + math.e


_HARTMANN_WEIGHTS = (1.0, 1.2, 3.0, 3.2)
_HARTMANN_SCALES = (
    (10, 3, 17, 3.5, 1.7, 8),
    (0.05, 10, 17, 0.1, 8, 14),
    (3, 3.5, 1.7, 10, 17, 8),
    (17, 8, 0.05, 10, 0.1, 14),
)
_HARTMANN_CENTRES = (
    (0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886),
    (0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991),
    (0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650),
    (0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381),
)


def _hartmann(point: Point) -> float:
    x = list(point.values())
    hills = zip(_HARTMANN_WEIGHTS, _HARTMANN_SCALES, _HARTMANN_CENTRES, strict=True)
    return -sum(
        weight * math.exp(-sum(a * (each - p) ** 2 for each, a, p in zip(x, scales, centres, strict=True)))
        for weight, scales, centres in hills
    )


_NETWORK: list[dict[str, Any]] = [
    {"name": "optimizer", "type": "Categorical", "choices": ["adam", "sgd"]},
    {"name": "learning_rate", "type": "Float", "low": 1e-5, "high": 1.0, "scale": "Log"},
    {
        "name": "momentum",
        "type": "Float",
        "low": 0.0,
        "high": 0.99,
        "when": {"parameter": "optimizer", "in": ["sgd"]},
    },
    {"name": "layers", "type": "Int", "low": 1, "high": 5},
    {"name": "units", "type": "Int", "low": 8, "high": 512, "scale": "Log"},
    {"name": "dropout", "type": "Float", "low": 0.0, "high": 0.7, "when": {"parameter": "layers", "in": [3, 4, 5]}},
    {"name": "activation", "type": "Categorical", "choices": ["relu", "gelu", "tanh", "sigmoid"]},
]
_ACTIVATIONS = {"relu": 0.0, "gelu": 0.005, "tanh": 0.02, "sigmoid": 0.08}


def _network(point: Point) -> float:
    """A made-up validation error of a network: the better optimiser is the one that needs more tuning."""
    is_sgd = point["optimizer"] == "sgd"
    best_rate = 3e-2 if is_sgd else 1e-3
    return float(
        0.05
        + 0.08 * math.log10(point["learning_rate"] / best_rate) ** 2
        + (0.4 * (point["momentum"] - 0.9) ** 2 if is_sgd else 0.02)
        + 0.01 * (point["layers"] - 3) ** 2
        + 0.02 * math.log2(point["units"] / 128) ** 2
        + (0.3 * (point["dropout"] - 0.2) ** 2 if "dropout" in point else 0.03)
        + _ACTIVATIONS[point["activation"]]
    )


def _zdt1(point: Point) -> float:
    """ZDT1's second objective (Zitzler, Deb and Thiele 2000); the first is its first parameter."""
    first, *rest = point.values()
    distance = 1 + 9 * sum(rest) / len(rest)
    return float(distance * (1 - math.sqrt(first / distance)))


_XY = ("x", "y")
_HARTMANN = ("a", "b", "c", "d", "e", "f")
_HARTMANN_MINIMISER = dict(zip(_HARTMANN, (0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573), strict=True))
_HARTMANN_MINIMUM = -3.32237

_HARTMANN_6 = Function(
    "hartmann",
    "Hartmann, 6",
    _ranges(_HARTMANN, 0, 1),
    _hartmann,
    _HARTMANN_MINIMUM,
    _HARTMANN_MINIMISER,
    0.670,
    3.22,
)

FUNCTIONS = {
    function.name: function
    for function in (
        Function("beale", "Beale, 2", _ranges(_XY, -4.5, 4.5), _beale, 0.0, {"x": 3.0, "y": 0.5}, 0.0559, 373),
        Function(
            "himmelblau", "Himmelblau, 2", _ranges(_XY, -5, 5), _himmelblau, 0.0, {"x": 3.0, "y": 2.0}, 0.231, 112
        ),
        Function(
            "branin",
            "Branin, 2",
            [*_ranges(["x"], -5, 10), *_ranges(["y"], 0, 15)],
            _branin,
            0.397887,
            {"x": math.pi, "y": 2.275},
            0.0538,
            34.8,
        ),
        Function(
            "rosenbrock",
            "Rosenbrock, 4",
            _ranges(("a", "b", "c", "d"), -2.048, 2.048),
            _rosenbrock,
            0.0,
            dict.fromkeys(("a", "b", "c", "d"), 1.0),
            11.8,
            1160,
        ),
        # Not around the minimum, which would lie in the middle: the second point of a Sobol sequence.
        Function(
            "ackley",
            "Ackley, 5",
            _ranges(("a", "b", "c", "d", "e"), -15, 30),
            _ackley,
            0.0,
            dict.fromkeys(("a", "b", "c", "d", "e"), 0.0),
            12.0,
            20.6,
        ),
        _HARTMANN_6,
        Function(
            "network",
            "conditional, 7",
            _NETWORK,
            _network,
            0.05,
            {
                "optimizer": "sgd",
                "learning_rate": 3e-2,
                "momentum": 0.9,
                "layers": 3,
                "units": 128,
                "dropout": 0.2,
                "activation": "relu",
            },
            0.0305,
            0.364,
        ),
        replace(_HARTMANN_6, name="noisy", title="Hartmann with noise, 6", noise=0.3),
        Function(
            "zdt1",
            "ZDT1, 8; two objectives",
            _ranges(("a", "b", "c", "d", "e", "f", "g", "h"), 0, 1),
            lambda point: float(point["a"]),
            0.0,
            dict.fromkeys(("a", "b", "c", "d", "e", "f", "g", "h"), 0.0),
            1.69,
            7.56,
            second=_zdt1,
        ),
    )
}
"""By name."""
