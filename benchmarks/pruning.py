"""How long a decision to prune takes beside many finished trials: our rules, and Optuna's on the same trials.

Optuna's read all trials from memory, which is the best case for them. A trial that is judged has come to a step where
the rule compares, and nothing was decided on it before.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.distributions import FloatDistribution
from optuna.pruners import BasePruner, HyperbandPruner, PercentilePruner, SuccessiveHalvingPruner
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from benchmarks.figures import Figure
from benchmarks.histories import STEPS, spec
from benchmarks.program import parser, run, say, sized
from tuning_operator.api.pruners import Pruner
from tuning_operator.search.curve import Curve
from tuning_operator.search.pruners import make_pruner
from tuning_operator.search.verdicts import TrialPruner

BUDGET = 10.0
"""Microseconds: of the milliseconds that a report may take, a decision must not be seen."""

JUDGED_AT = 9
"""A step that is a rung of all rules with a factor of 3."""

METHODS: dict[str, tuple[dict[str, Any], Callable[[], BasePruner]]] = {
    "Percentile": ({}, lambda: PercentilePruner(25.0)),
    "SuccessiveHalving": ({"reductionFactor": 3}, lambda: SuccessiveHalvingPruner(1, 3)),
    "Hyperband": ({"maxResource": 100}, lambda: HyperbandPruner(1, 100, 3)),
}


@dataclass
class Running:
    """A running trial."""

    number: int
    curve: Curve
    rungs: dict[int, float] = field(default_factory=dict)


def finished_study(finished: int, pruner: BasePruner, chance: random.Random) -> optuna.Study:
    """Return a study whose trials are complete and have come to all rungs."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(study_name="7", direction="maximize", pruner=pruner)
    for _ in range(finished):
        values = {step: chance.random() for step in range(1, STEPS + 1)}
        rungs = {f"completed_rung_{rung}": values[step] for rung, step in enumerate((1, 3, 9))}
        study.add_trial(
            create_trial(
                value=values[STEPS],
                params={"x": 0.5},
                distributions={"x": FloatDistribution(0.0, 1.0)},
                intermediate_values=values,
                system_attrs=rungs,
            )
        )
    return study


def rule_of(name: str, options: dict[str, Any], study: optuna.Study) -> TrialPruner:
    """Return our rule with what the study's trials reported."""
    rule = make_pruner(Pruner.model_validate({"name": name, "options": options}), StudyDirection.MAXIMIZE, 7)
    for trial in study.get_trials(deepcopy=False):
        rule.add_complete(trial)
        rule.add_rungs(trial.number, {step: trial.intermediate_values[step] for step in (1, 3, 9)})
    return rule


def microseconds(decide: Callable[[int], object], numbers: Sequence[int]) -> float:
    """Return the median time of a decision."""
    taken = []
    for number in numbers:
        start = time.perf_counter()
        decide(number)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken) * 1e6


def measure_method(name: str, finished: int, decisions: int) -> Figure:
    """Measure one rule, and Optuna's."""
    options, optunas = METHODS[name]
    chance = random.Random(1)
    say(f"{name}: {finished} trials")
    study = finished_study(finished, optunas(), chance)
    rule = rule_of(name, options, study)
    values = {step: chance.random() for step in range(1, JUDGED_AT + 1)}
    curve = Curve(spec(1).objective, values)
    standing = curve.standing
    assert standing is not None
    numbers = range(finished, finished + decisions)
    ours = microseconds(lambda number: rule.judge(Running(number, curve, {1: 0.5, 3: 0.5}), standing), numbers)
    running = create_trial(state=TrialState.RUNNING, intermediate_values=values)
    running.system_attrs = {"completed_rung_0": 0.5, "completed_rung_1": 0.5}
    study.add_trial(running)
    asked = study.get_trials(deepcopy=False)[-1]
    running._trial_id = asked._trial_id

    def theirs(number: int) -> None:
        running.number = number
        study.pruner.prune(study, running)

    reference = microseconds(theirs, numbers[: max(5, decisions // 100)])
    note = f"{finished:,} finished trials of {STEPS} values; median of {decisions:,} decisions"
    return Figure(f"a decision of {name}", "µs", BUDGET, ours, reference, "Optuna's pruner, in memory", note=note)


def measure(options: argparse.Namespace) -> list[Figure]:
    """Measure each rule."""
    finished, decisions = sized(options, "finished", 10_000, 500), sized(options, "decisions", 5_000, 500)
    with warnings.catch_warnings(action="ignore"):
        return [measure_method(name, finished, decisions) for name in METHODS]


def main() -> None:
    """Read the command line and measure."""
    made = parser(__doc__)
    made.add_argument("--finished", type=int, help="finished trials (10,000)")
    made.add_argument("--decisions", type=int, help="decisions of ours; Optuna makes a hundredth of them (5,000)")
    run(measure, made.parse_args())


if __name__ == "__main__":
    main()
