"""A small neural network that learns to read handwritten digits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tuning_trainer.tasks.digits import Digits, load_digits
from tuning_trainer.tasks.mlp import BATCH_SIZE, NET, OPTIMIZER, build_model, build_optimizer, seeded_device
from tuning_trainer.tasks.parameters import FloatParameter, IntParameter
from tuning_trainer.tasks.task import Task
from tuning_trainer.tasks.training_state import resume, training_state
from tuning_trainer.trial import Trial

if TYPE_CHECKING:
    import torch


def train(trial: Trial, parameters: Mapping[str, Any]) -> None:
    """Train until the net has had the trial's budget of epochs, else `epochs`; report and save each, stop when pruned.

    A trial with a parent goes on with its net: the epochs are counted from the first ancestor's first.
    """
    device = seeded_device(trial.seed)
    digits = load_digits(device)
    model = build_model(parameters).to(device)
    optimizer = build_optimizer(model, parameters, parameters["learning_rate"])
    epochs = trial.budget or parameters["epochs"]
    done = resume(trial, model, optimizer, parameters, epochs)
    for epoch in range(done + 1, epochs + 1):
        train_loss = train_epoch(model, optimizer, digits, parameters["batch_size"])
        val_loss, val_accuracy = validate(model, digits)
        trial.report({"val_accuracy": val_accuracy, "val_loss": val_loss, "train_loss": train_loss}, step=epoch)
        if trial.should_prune():
            trial.prune()
        if trial.checkpoint_dir is not None:
            trial.save(training_state(model, optimizer, parameters), step=epoch)


def train_epoch(model: torch.nn.Module, optimizer: torch.optim.Optimizer, digits: Digits, batch_size: int) -> float:
    """Learn from each image once, in a random order; return the mean loss per image, whatever the batch size."""
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
        losses.append(loss.detach() * len(batch))
    return torch.stack(losses).sum().item() / len(order)


def validate(model: torch.nn.Module, digits: Digits) -> tuple[float, float]:
    """Return the mean loss per image and the share of images recognised, of those that are not learned from."""
    import torch
    from torch.nn.functional import cross_entropy

    model.eval()
    with torch.inference_mode():
        scores = model(digits.validation_images)
        loss = cross_entropy(scores, digits.validation_labels).item()
        accuracy = (scores.argmax(dim=1) == digits.validation_labels).float().mean().item()
    return loss, accuracy


DIGITS_MLP = Task(
    name="digits-mlp",
    summary="PyTorch network on 1,797 handwritten digits; reports val_accuracy, val_loss and train_loss each epoch",
    parameters=(
        FloatParameter("learning_rate", 1e-3, 1e-8, 1000.0, "learning rate"),
        *OPTIMIZER,
        *NET,
        BATCH_SIZE,
        IntParameter("epochs", 25, 1, 100_000, "epochs, where the study gives the trial no budget"),
    ),
    train=train,
)
