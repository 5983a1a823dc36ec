"""A multilayer perceptron for the digits and its optimiser, built from a task's parameters."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tuning_trainer.tasks.digits import CLASSES, PIXELS
from tuning_trainer.tasks.parameters import ChoiceParameter, FloatParameter, IntParameter, Parameter

if TYPE_CHECKING:
    import torch

ACTIVATIONS = {
    "relu": "ReLU",
    "elu": "ELU",
    "gelu": "GELU",
    "hardshrink": "Hardshrink",
    "hardsigmoid": "Hardsigmoid",
    "hardtanh": "Hardtanh",
    "leaky_relu": "LeakyReLU",
    "relu6": "ReLU6",
    "selu": "SELU",
    "sigmoid": "Sigmoid",
    "silu": "SiLU",
    "softplus": "Softplus",
    "tanh": "Tanh",
}
"""Activations by the name that a parameter has, and what `torch.nn` calls them; none has weights of its own."""

OPTIMIZERS = ("adam", "adamw", "adadelta", "sgd", "rmsprop")

MOST_LAYERS = 16

SHAPE = ("hidden_layers", "hidden_units")
"""The parameters that decide how many weights the net has, and in which shapes."""

NET: tuple[Parameter, ...] = (
    IntParameter("hidden_layers", 2, 1, MOST_LAYERS, "hidden layers"),
    IntParameter("hidden_units", 64, 1, 4096, "neurons of each hidden layer"),
    FloatParameter("dropout", 0.1, 0.0, 0.95, "share of neurons dropped while training"),
    *(
        ChoiceParameter(f"activation_{layer}", "relu", tuple(ACTIVATIONS), f"activation of hidden layer {layer}")
        for layer in range(1, MOST_LAYERS + 1)
    ),
)
"""The parameters of `build_model`."""

OPTIMIZER: tuple[Parameter, ...] = (
    ChoiceParameter("optimizer", "adam", OPTIMIZERS, "optimiser"),
    FloatParameter("momentum", 0.9, 0.0, 0.999, "momentum of sgd and rmsprop"),
)
"""The parameters of `build_optimizer`, but for the learning rate."""

BATCH_SIZE = IntParameter("batch_size", 32, 1, 1437, "images per update")


def seeded_device(seed: int) -> torch.device:
    """Seed PyTorch, take one thread unless the environment says how many, and return the device to train on."""
    import torch

    if not os.environ.get("OMP_NUM_THREADS"):  # PyTorch reads it itself
        torch.set_num_threads(1)
    torch.manual_seed(seed)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def build_model(parameters: Mapping[str, Any]) -> torch.nn.Module:
    """Return hidden layers of equal width, each a linear layer, activation and dropout, and a linear output layer."""
    from torch import nn

    layers: list[nn.Module] = []
    width = PIXELS
    for layer in range(1, parameters["hidden_layers"] + 1):
        activation = getattr(nn, ACTIVATIONS[parameters[f"activation_{layer}"]])()
        layers += [nn.Linear(width, parameters["hidden_units"]), activation, nn.Dropout(parameters["dropout"])]
        width = parameters["hidden_units"]
    return nn.Sequential(*layers, nn.Linear(width, CLASSES))


def build_optimizer(
    model: torch.nn.Module, parameters: Mapping[str, Any], learning_rate: float
) -> torch.optim.Optimizer:
    """Return the optimiser by its name; `momentum` is for sgd and rmsprop, the others have their own."""
    from torch import optim

    momentum = parameters["momentum"]
    match parameters["optimizer"]:
        case "sgd":
            return optim.SGD(model.parameters(), lr=learning_rate, momentum=momentum)
        case "rmsprop":
            return optim.RMSprop(model.parameters(), lr=learning_rate, momentum=momentum)
        case "adamw":
            return optim.AdamW(model.parameters(), lr=learning_rate)
        case "adadelta":
            return optim.Adadelta(model.parameters(), lr=learning_rate)
        case _:
            return optim.Adam(model.parameters(), lr=learning_rate)
