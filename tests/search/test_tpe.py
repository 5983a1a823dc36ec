"""Our TPE suggests what Optuna's does, to the last digit, until there are so many trials that it models a sample."""

from __future__ import annotations

import random
import warnings
from typing import Any

import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import TPESampler
from optuna.study import Study, StudyDirection
from optuna.trial import TrialState

from tuning_operator.search.seeds import reseed
from tuning_operator.search.tpe import TabularTPESampler
from tuning_operator.search.trial_table import TrialTable

ALWAYS: dict[str, BaseDistribution] = {
    "rate": FloatDistribution(1e-5, 1e-1, log=True),
    "momentum": FloatDistribution(0.0, 1.0),
    "dropout": FloatDistribution(0.0, 0.6, step=0.1),
    "units": IntDistribution(1, 100),
    "batch": IntDistribution(16, 256, step=16),
    "kind": CategoricalDistribution(["a", "b", "c"]),
}
SOMETIMES: dict[str, BaseDistribution] = {
    "depth": IntDistribution(1, 9),
    "width": FloatDistribution(1.0, 99.0, log=True),
}
"""Trials of the kind `b` have these too."""

OPTIONS: list[dict[str, Any]] = [
    {},
    {"constant_liar": False},
    {"multivariate": False},
    {"multivariate": False, "constant_liar": False},
    {"group": True, "multivariate": True},
    {"n_startup_trials": 3, "n_ei_candidates": 5},
]


class Story:
    """A study whose trials end in any order and in every way."""

    def __init__(self, sampler: TPESampler, direction: StudyDirection) -> None:
        self.study = optuna.create_study(sampler=sampler, direction=direction)
        self._chance = random.Random(5)
        self._running: list[optuna.Trial] = []

    def ask(self) -> dict[str, Any]:
        """Return what a trial tries."""
        trial = self.study.ask()
        for name, distribution in ALWAYS.items():
            trial._suggest(name, distribution)
        if trial.params["kind"] == "b":
            for name, distribution in SOMETIMES.items():
                trial._suggest(name, distribution)
        self._running.append(trial)
        return trial.params

    def end_one(self) -> None:
        """Let a trial end: complete, pruned with or without values, against a constraint, or failed."""
        trial = self._running.pop(self._chance.randrange(len(self._running)))
        kind, value = self._chance.random(), self._chance.choice([0.0, 0.5, -0.5, self._chance.random()])
        if kind < 0.2:
            for step in range(self._chance.randrange(3)):
                trial.report(float("nan") if self._chance.random() < 0.2 else value, step)
            self.study.tell(trial, state=TrialState.PRUNED)
        elif kind < 0.3:
            self.study.tell(trial, state=TrialState.FAIL)
        else:
            if kind < 0.5:
                trial.set_constraint("memory", self._chance.choice([-1.0, 1.0, 2.0]))
            self.study.tell(trial, value)


def _suggested(sampler: TPESampler, direction: StudyDirection) -> list[dict[str, Any]]:
    story = Story(sampler, direction)
    parameters = [story.ask() for _ in range(8)]
    for _ in range(50):
        story.end_one()
        parameters.append(story.ask())
    return parameters


@pytest.mark.parametrize("direction", [StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_suggestion_is_optunas(options: dict[str, Any], direction: StudyDirection) -> None:
    with warnings.catch_warnings(action="ignore"):
        optunas, ours = (_suggested(kind(seed=3, **options), direction) for kind in (TPESampler, TabularTPESampler))
    assert ours == optunas


def _of_several(sampler: TPESampler) -> list[dict[str, Any]]:
    study: Study = optuna.create_study(sampler=sampler, directions=["minimize", "maximize"])
    parameters = []
    for number in range(20):
        trial = study.ask(ALWAYS)
        study.tell(trial, [trial.params["momentum"], float(number % 5)])
        parameters.append(trial.params)
    return parameters


def test_every_suggestion_for_several_objectives_is_optunas() -> None:
    with warnings.catch_warnings(action="ignore"):
        assert _of_several(TabularTPESampler(seed=3)) == _of_several(TPESampler(seed=3))


@pytest.mark.parametrize("options", [{}, {"multivariate": False}], ids=str)
def test_a_sampler_that_begins_anew_models_the_same_sample(options: dict[str, Any]) -> None:
    story = Story(TabularTPESampler(seed=3, most_modelled=10, **options), StudyDirection.MINIMIZE)
    for number in range(60):
        story.ask()
        if number >= 8:
            story.end_one()
    again = optuna.create_study(sampler=TabularTPESampler(most_modelled=10, **options))
    again.add_trials(story.study.trials)
    suggested = []
    for study in (story.study, again):
        reseed(study.sampler, 1, 60)
        suggested.append(study.ask(ALWAYS).params)
    assert suggested[0] == suggested[1]


def test_of_many_trials_all_are_modelled_that_run_and_a_sample_of_the_others() -> None:
    table = TrialTable(StudyDirection.MINIMIZE)
    states = [TrialState.COMPLETE] * 1_000 + [TrialState.RUNNING] * 30
    trials = [
        optuna.trial.create_trial(state=state, value=float(number) if state.is_finished() else None)
        for number, state in enumerate(states)
    ]
    for number, trial in enumerate(trials):
        trial.number = number
    samples = []
    for count in (500, 501, 1_030):
        table.update(trials, count, lambda trial: trial.params)
        good, others = table.split(25, with_running=True, most=100)
        assert list(good) == list(range(25))
        samples.append({int(place) for place in others})
    assert [len(sample) for sample in samples] == [100, 100, 130]
    assert set(range(1_000, 1_030)) < samples[2]
    assert len(samples[0] & samples[1]) >= 99, "one more trial changes hardly anything"
    assert all(len(samples[2] & set(range(start, start + 100))) in (9, 10, 11) for start in range(100, 1_000, 100))
