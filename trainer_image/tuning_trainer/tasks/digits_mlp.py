"""A small neural network on scikit-learn's 1,797 handwritten digits: real data, no download, seconds to train."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuning_trainer.tasks.parameters import ChoiceParameter, FloatParameter, IntParameter
from tuning_trainer.tasks.task import Task
from tuning_trainer.trial import Trial

if TYPE_CHECKING:
    import torch

PIXELS = 64
"""Length of an image: 8 x 8 grey values from 0 to 16."""

CLASSES = 10

VALIDATION_IMAGES = 360
"""Images that are scored; the other 1,437 are learned from. The split is the same in all trials."""


@dataclass(frozen=True)
class Digits:
    """Images (float, n x 64, 0 to 1) and labels (int64, n), to learn from and to be scored."""

    train_images: torch.Tensor
    train_labels: torch.Tensor
    validation_images: torch.Tensor
    validation_labels: torch.Tensor


def train(trial: Trial, parameters: Mapping[str, Any]) -> None:
    """Train for the trial's budget, else for `epochs`; report and save each epoch, stop when the trial is pruned."""
    import torch
    from torch.nn.functional import cross_entropy

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or 1))
    torch.manual_seed(trial.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    digits = load_digits(device)
    model = build_model(parameters).to(device)
    optimizer = build_optimizer(model, parameters)
    done = resume(trial, model, optimizer)
    for epoch in range(done + 1, (trial.budget or parameters["epochs"]) + 1):
        train_loss = train_epoch(model, optimizer, digits, parameters["batch_size"])
        model.eval()
        with torch.inference_mode():
            scores = model(digits.validation_images)
            val_loss = cross_entropy(scores, digits.validation_labels).item()
            val_accuracy = (scores.argmax(dim=1) == digits.validation_labels).float().mean().item()
        trial.report({"val_accuracy": val_accuracy, "val_loss": val_loss, "train_loss": train_loss}, step=epoch)
        if trial.should_prune():
            trial.prune()
        if trial.checkpoint_dir is not None:
            trial.save(training_state(model, optimizer), step=epoch)


def training_state(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Return all that the training needs to go on as if it had not been interrupted."""
    import torch

    generators = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        generators["cuda"] = torch.cuda.get_rng_state()
    return {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "generators": generators}


def resume(trial: Trial, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Take the state of the newest checkpoint, if there is one; return the epochs done."""
    import torch

    checkpoint = trial.resume()
    if checkpoint is None:
        return 0
    model.load_state_dict(checkpoint.state["model"])
    optimizer.load_state_dict(checkpoint.state["optimizer"])
    generators = checkpoint.state["generators"]
    torch.set_rng_state(generators["cpu"])
    if "cuda" in generators and torch.cuda.is_available():
        torch.cuda.set_rng_state(generators["cuda"])
    return checkpoint.step


def load_digits(device: torch.device) -> Digits:
    """Read the digits from scikit-learn's files; importing scikit-learn for them would take longer than training."""
    from importlib.util import find_spec
    from pathlib import Path

    import numpy as np
    import torch

    package = find_spec("sklearn")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("the digits come with scikit-learn: install tuning-operator[trainer]")
    table = np.loadtxt(Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz", delimiter=",")
    rows = torch.from_numpy(table)[torch.randperm(len(table), generator=torch.Generator().manual_seed(0))]
    images = (rows[:, :PIXELS] / 16).float().to(device)
    labels = rows[:, PIXELS].long().to(device)
    return Digits(
        train_images=images[VALIDATION_IMAGES:],
        train_labels=labels[VALIDATION_IMAGES:],
        validation_images=images[:VALIDATION_IMAGES],
        validation_labels=labels[:VALIDATION_IMAGES],
    )


def build_model(parameters: Mapping[str, Any]) -> torch.nn.Module:
    """Return hidden layers of equal width, each a linear layer, ReLU and dropout, and a linear output layer."""
    from torch import nn

    layers: list[nn.Module] = []
    width = PIXELS
    for _ in range(parameters["hidden_layers"]):
        layers += [nn.Linear(width, parameters["hidden_units"]), nn.ReLU(), nn.Dropout(parameters["dropout"])]
        width = parameters["hidden_units"]
    return nn.Sequential(*layers, nn.Linear(width, CLASSES))


def build_optimizer(model: torch.nn.Module, parameters: Mapping[str, Any]) -> torch.optim.Optimizer:
    """Return the optimiser by its name; `momentum` is for sgd and rmsprop, adam has its own."""
    from torch import optim

    learning_rate, momentum = parameters["learning_rate"], parameters["momentum"]
    if parameters["optimizer"] == "adam":
        return optim.Adam(model.parameters(), lr=learning_rate)
    if parameters["optimizer"] == "rmsprop":
        return optim.RMSprop(model.parameters(), lr=learning_rate, momentum=momentum)
    return optim.SGD(model.parameters(), lr=learning_rate, momentum=momentum)


def train_epoch(model: torch.nn.Module, optimizer: torch.optim.Optimizer, digits: Digits, batch_size: int) -> float:
    """Learn from each image once, in a random order; return the mean loss of the batches."""
    import torch
    from torch.nn.functional import cross_entropy

    model.train()
    losses = []
    order = torch.randperm(len(digits.train_images), device=digits.train_images.device)
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        optimizer.zero_grad()
        loss = cross_entropy(model(digits.train_images[batch]), digits.train_labels[batch])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses).mean().item()


DIGITS_MLP = Task(
    name="digits-mlp",
    summary="PyTorch network on 1,797 handwritten digits; reports val_accuracy, val_loss and train_loss each epoch",
    parameters=(
        FloatParameter("learning_rate", 1e-3, 1e-8, 1000.0, "learning rate"),
        FloatParameter("momentum", 0.9, 0.0, 0.999, "momentum of sgd and rmsprop"),
        IntParameter("hidden_layers", 2, 1, 16, "hidden layers"),
        IntParameter("hidden_units", 64, 1, 4096, "neurons of each hidden layer"),
        ChoiceParameter("optimizer", "adam", ("adam", "sgd", "rmsprop"), "optimiser"),
        FloatParameter("dropout", 0.1, 0.0, 0.95, "share of neurons dropped while training"),
        IntParameter("batch_size", 32, 1, 1437, "images per update"),
        IntParameter("epochs", 25, 1, 100_000, "epochs, where the study gives the trial no budget"),
    ),
    train=train,
)
