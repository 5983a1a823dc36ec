"""A random forest on the iris flowers, scored by cross-validation: a trainer that is no neural network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuning_trainer.tasks.parameters import FloatParameter, IntParameter
from tuning_trainer.tasks.task import Task
from tuning_trainer.trial import Trial

FOLDS = 3
"""Folds of the cross-validation, where the study does not say: three times 100 flowers to learn from and 50 to be
scored on."""


def train(trial: Trial, parameters: Mapping[str, Any]) -> None:
    """Report the accuracy, and the depth that the real-valued `max_depth` was cut to.

    The accuracy is that of this run's fold; where the study asks for no folds, the mean over all of them.
    """
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    max_depth = int(parameters["max_depth"])
    forest = RandomForestClassifier(
        n_estimators=parameters["n_estimators"], max_depth=max_depth, random_state=trial.seed
    )
    features, species = load_iris(return_X_y=True)
    # The first repetition has the folds that scikit-learn's searches have by default. The seed of the others is not the
    # trial's: the folds are the same for all trials, so that they can be compared fold by fold.
    shuffling = {"shuffle": True, "random_state": trial.repeat} if trial.repeat else {}
    splits = list(StratifiedKFold(trial.folds or FOLDS, **shuffling).split(features, species))
    own = splits if trial.fold is None else [splits[trial.fold]]
    accuracy = cross_val_score(forest, features, species, cv=own).mean()
    trial.report({"accuracy": accuracy, "effective_max_depth": max_depth}, step=1)


IRIS_FOREST = Task(
    name="iris-forest",
    summary="random forest on 150 iris flowers; reports accuracy (of its fold, or the mean of 3) once",
    parameters=(
        IntParameter("n_estimators", 10, 1, 1000, "trees in the forest"),
        FloatParameter("max_depth", 5.0, 1.0, 1000.0, "depth of the trees, cut to a whole number"),
    ),
    train=train,
    has_folds=True,
)
