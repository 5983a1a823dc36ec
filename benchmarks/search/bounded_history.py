"""Whether a sampler finds less when it models a part of its trials: TPE's bound of 10,000, scaled down to 100 of 400.

With `--known 20000 --trials 100 --bound 10000` it is the bound as it is: each study begins with the results of 20,000
random trials. `--sampler GP --trials 120 --bound 40` is the same for GP, whose bound is 500. Eight trials run at once,
and the oldest ends first. Each seed searches twice, with all trials modelled and with the bound. The verdicts are those
of `no_worse`: regrets paired by seed, the margin 5 % of the gap to random search.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

import numpy as np
import optuna
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import TrialState

from benchmarks.program import say
from benchmarks.search.functions import FUNCTIONS, Function
from benchmarks.search.no_worse import compare, together, verdicts
from tuning_operator.api.parameters import Parameter
from tuning_operator.search.gaussian_process import BoundedGPSampler
from tuning_operator.search.space import Space
from tuning_operator.search.tpe import TabularTPESampler

AT_ONCE = 8
_KNOWN_SEEDS = 1_000_000
"""The first seed of the random trials that are known: others than those of the searches."""


SAMPLERS: dict[str, Callable[[int, int], BaseSampler]] = {
    "TPE": lambda seed, most: TabularTPESampler(seed=seed, multivariate=True, most_modelled=most),
    "GP": lambda seed, most: BoundedGPSampler(seed=seed, most_modelled=most, warn_independent_sampling=False),
}
"""Made of a seed and of how many finished trials are modelled."""


@dataclass(frozen=True)
class Size:
    """Of the studies."""

    sampler: Callable[[int, int], BaseSampler]
    trials: int
    bound: int
    known: int
    """Results of random trials before the first one."""


def search(function: Function, study: optuna.Study, trials: int, seed: int) -> None:
    """Run so many more trials of a study; the last ones do not end."""
    space, noise = (
        Space([Parameter.model_validate(parameter) for parameter in function.parameters]),
        np.random.default_rng(seed),
    )
    running: deque[optuna.Trial] = deque()
    for _ in range(trials):
        trial = study.ask()
        space.choose(trial._suggest)
        running.append(trial)
        if len(running) == AT_ONCE:
            ended = running.popleft()
            study.tell(ended, function.value(ended.params) + function.noise * noise.standard_normal())


def regrets(function: Function, size: Size, seed: int) -> tuple[float, float, float]:
    """Return how far above the minimum the best trial is, the best as reported by its true value: with the bound,
    without one, and of random search.
    """
    known = optuna.create_study(sampler=RandomSampler(seed=_KNOWN_SEEDS + seed))
    search(function, known, size.known, _KNOWN_SEEDS + seed)
    found = []
    for sampler in (*(size.sampler(seed, most) for most in (size.bound, sys.maxsize)), RandomSampler(seed=seed)):
        study = optuna.create_study(sampler=sampler)
        study.add_trials(known.get_trials(deepcopy=False, states=[TrialState.COMPLETE]))
        search(function, study, size.trials, seed)
        found.append(function.regret(study.best_params))
    bounded, whole, drawn = found
    return bounded, whole, drawn


def spread(values: list[float]) -> str:
    """Return the median and the quartiles."""
    low, _, high = quantiles(values, n=4)
    return f"{median(values):.3g} ({low:.3g} – {high:.3g})"


def main() -> None:
    """Read the command line and measure."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--sampler", choices=SAMPLERS, default="TPE", help="(TPE)")
    made.add_argument("--functions", nargs="+", default=["hartmann", "noisy", "network", "rosenbrock"])
    made.add_argument("--trials", type=int, default=400, help="of each study (400)")
    made.add_argument("--bound", type=int, default=100, help="finished trials that are modelled (100)")
    made.add_argument("--known", type=int, default=0, help="random trials before them (0)")
    made.add_argument("--seeds", type=int, default=20, help="(20)")
    made.add_argument("--out", type=Path, metavar="FILE", help="append each seed's regrets to a file")
    options = made.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore")
    size = Size(SAMPLERS[options.sampler], options.trials, options.bound, options.known)
    comparisons = {}
    print("| function, parameters | bounded | all trials | random search |\n| --- | --- | --- | --- |")
    for name in options.functions:
        found: list[tuple[float, float, float]] = []
        for seed in range(options.seeds):
            found.append(regrets(FUNCTIONS[name], size, seed))
            say(f"{name} {seed}: {found[-1]}")
            if options.out is not None:
                with options.out.open("a") as lines:
                    lines.write(json.dumps([name, seed, *found[-1]]) + "\n")
        bounded, whole, drawn = (list(values) for values in zip(*found, strict=True))
        comparisons[name] = compare(bounded, whole, drawn)
        print(f"| {FUNCTIONS[name].title} | {spread(bounded)} | {spread(whole)} | {spread(drawn)} |", flush=True)
    for name, verdict in verdicts(comparisons).items():
        print(f"{name}: {verdict.value}")
    verdict, p = together(comparisons.values())
    print(f"all together: {verdict.value}, p = {p:.2g}")


if __name__ == "__main__":
    main()
