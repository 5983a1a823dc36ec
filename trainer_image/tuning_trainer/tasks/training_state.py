"""What a training saves, and how it goes on from that: its own attempt before, or the net of another trial.

The other trial's net, its parent's, may go on with other parameters: another optimiser, learning rate, momentum, batch
size, dropout or activation. Whatever decides the net's shape must be as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tuning_trainer.errors import TrialFailed
from tuning_trainer.tasks.mlp import SHAPE
from tuning_trainer.trial import Trial

if TYPE_CHECKING:
    import torch


def training_state(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Return all that the training needs to go on as if it had not been interrupted."""
    import torch

    generators = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        generators["cuda"] = torch.cuda.get_rng_state()
    return {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "generators": generators,
        "parameters": dict(parameters),
    }


def resume(
    trial: Trial,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    parameters: Mapping[str, Any],
    epochs: int,
) -> int:
    """Take the state of the newest checkpoint, if there is one; return the epochs that its net has had.

    The random numbers go on where the checkpoint's ended, so that a trial that was promoted trains as if its parent
    had not stopped, and trials of one parent draw the same ones and differ by their parameters alone.

    Raises
    ------
    TrialFailed
        The net would have another shape than its parent's, or nothing of its `epochs` is left to train.
    """
    checkpoint = trial.resume()
    if checkpoint is None:
        return 0
    state = checkpoint.state
    before = state.get("parameters", parameters)  # without them: an own attempt's, by an earlier version
    for name in SHAPE:
        if before[name] != parameters[name]:
            raise TrialFailed(
                f"{name} is {parameters[name]}, but {before[name]} in the net that this trial goes on with, and a net "
                f"keeps its shape: make {name} a Fixed parameter"
            )
    if checkpoint.inherited and checkpoint.step >= epochs:
        raise TrialFailed(
            f"the net that this trial goes on with has had {checkpoint.step} epochs already, and may have {epochs}, "
            "its ancestors' included: nothing is left to train"
        )
    model.load_state_dict(state["model"])
    if before["optimizer"] == parameters["optimizer"]:
        restore_optimizer(optimizer, state["optimizer"])
    restore_generators(state["generators"])
    return checkpoint.step


def restore_optimizer(optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """Take the moments of an optimiser of the same kind; learning rate and momentum remain the optimiser's own."""
    import torch

    optimizer.load_state_dict({**state, "param_groups": optimizer.state_dict()["param_groups"]})
    if isinstance(optimizer, torch.optim.RMSprop):  # it makes its buffers at the first step only
        for of_weights in optimizer.state.values():
            of_weights.setdefault("momentum_buffer", torch.zeros_like(of_weights["square_avg"]))


def restore_generators(states: Mapping[str, torch.Tensor]) -> None:
    """Let random numbers go on where they were."""
    import torch

    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
