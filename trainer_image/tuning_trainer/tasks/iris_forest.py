"""A random forest on the iris flowers, scored by cross-validation: a trainer that is no neural network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuning_trainer.tasks.parameters import FloatParameter, IntParameter
from tuning_trainer.tasks.task import Task
from tuning_trainer.trial import Trial

FOLDS = 3
"""Folds of the cross-validation: three times 100 flowers to learn from and 50 to be scored on."""


def train(trial: Trial, parameters: Mapping[str, Any]) -> None:
    """Report the mean accuracy over the folds, and the depth that the real-valued `max_depth` was cut to."""
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import cross_val_score

    max_depth = int(parameters["max_depth"])
    forest = RandomForestClassifier(
        n_estimators=parameters["n_estimators"], max_depth=max_depth, random_state=trial.seed
    )
    features, species = load_iris(return_X_y=True)
    accuracy = cross_val_score(forest, features, species, cv=FOLDS).mean()
    trial.report({"accuracy": accuracy, "effective_max_depth": max_depth}, step=1)


IRIS_FOREST = Task(
    name="iris-forest",
    summary="random forest on 150 iris flowers; reports accuracy (mean of 3 folds) once",
    parameters=(
        IntParameter("n_estimators", 10, 1, 1000, "trees in the forest"),
        FloatParameter("max_depth", 5.0, 1.0, 1000.0, "depth of the trees, cut to a whole number"),
    ),
    train=train,
)
