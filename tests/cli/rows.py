"""Trials to draw."""

from __future__ import annotations

from typing import Any

from tuning_operator.cli.trial_rows import COMPLETE, TrialRow

PARAMETERS = ("learning_rate", "momentum", "hidden_layers", "hidden_units", "dropout", "optimizer")


def row(number: int, state: str = COMPLETE, **fields: Any) -> TrialRow:
    """Return a trial of a study of a neural network."""
    parameters = {
        "learning_rate": 0.00123,
        "momentum": 0.9,
        "hidden_layers": 2,
        "hidden_units": 128,
        "dropout": 0.25,
        "optimizer": "rmsprop",
    }
    return TrialRow(
        **{"number": number, "state": state, "parameters": parameters, "value": 0.9, "seconds": 12.0, **fields}
    )
