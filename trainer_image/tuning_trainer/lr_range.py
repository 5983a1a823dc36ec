"""The learning-rate range test: train a little with rising rates and see at which ones the loss falls.

After L. N. Smith, Cyclical Learning Rates for Training Neural Networks (WACV 2017), section 3.3. Needs PyTorch, and
neither an operator nor a study:

    from tuning_trainer.lr_range import LRRangeTest

    curve = LRRangeTest(model, optimizer, torch.nn.functional.cross_entropy, train_loader).run()
    print(curve.suggestions())
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tuning_trainer.lr_curve import LRCurve, LRPoint, RunningMean

if TYPE_CHECKING:
    import torch

__all__ = ["LRCurve", "LRPoint", "LRRangeTest", "sweep_rates"]

Criterion = Callable[[Any, Any], "torch.Tensor"]
"""From the model's output and the targets to the mean loss of the batch."""


class LRRangeTest:
    """A sweep of learning rates over one model; afterwards model, optimiser and PyTorch's random numbers are as before.

    Parameters
    ----------
    model, optimizer, criterion
        As in the training: `criterion(model(inputs), targets)` is a batch's mean loss. All of the optimizer's
        parameter groups get the same rate.
    batches
        Pairs of inputs and targets: a DataLoader or a list. It is gone through again when it is used up. Tensors are
        moved to the model's device.
    validation
        Where given, the loss of a rate is the mean over these batches after its step: slow, and less noisy.
    accumulation
        Batches per step of the optimizer.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        criterion: Criterion,
        batches: Iterable[tuple[Any, Any]],
        *,
        validation: Iterable[tuple[Any, Any]] | None = None,
        accumulation: int = 1,
    ) -> None:
        if accumulation < 1:
            raise ValueError(f"accumulation is {accumulation}, but must be at least 1")
        self._model = model
        self._optimizer = optimizer
        self._criterion = criterion
        self._batches = batches
        self._validation = validation
        self._accumulation = accumulation
        self._device = next(model.parameters()).device

    def run(
        self,
        low: float = 1e-7,
        high: float = 10.0,
        steps: int = 100,
        *,
        sweep: str = "exponential",
        smoothing: float = 0.9,
        divergence: float = 4.0,
        on_point: Callable[[LRPoint], object] | None = None,
    ) -> LRCurve:
        """Make one step of the optimizer with each rate, in rising order.

        Parameters
        ----------
        low, high, steps, sweep
            The rates, both ends included; `exponential` spaces them evenly by their logarithm, `linear` by themselves.
        smoothing
            Weight of the past in the running mean of the losses, from 0 (none) to less than 1.
        divergence
            The sweep ends when the running mean exceeds the smallest one so far by this factor, which has no meaning
            and is ignored if that is not positive, or when a loss is not finite, which is left out.
        on_point
            Called after each step; what it raises ends the sweep.

        Raises
        ------
        ValueError
            The rates make no sweep, a scheduler is attached to the optimizer, or there are no batches.
        """
        rates = sweep_rates(low, high, steps, sweep)
        if any("initial_lr" in group for group in self._optimizer.param_groups):
            raise ValueError("the optimizer has a scheduler, which would set other rates: test before you attach it")
        if not 0 <= smoothing < 1 or not divergence > 1:
            raise ValueError("smoothing must be from 0 to less than 1, and divergence greater than 1")
        points: list[LRPoint] = []
        mean, best = RunningMean(smoothing), math.inf
        with self._kept_state():
            batches = self._endless()
            for rate in rates:
                loss = self._step(rate, batches)
                if not math.isfinite(loss):
                    return LRCurve(tuple(points), diverged=True)
                points.append(LRPoint(rate, loss, mean.add(loss)))
                if on_point is not None:
                    on_point(points[-1])
                if best > 0 and points[-1].smoothed > divergence * best:
                    return LRCurve(tuple(points), diverged=True)
                best = min(best, points[-1].smoothed)
        return LRCurve(tuple(points), diverged=False)

    def _step(self, rate: float, batches: Iterator[tuple[Any, Any]]) -> float:
        """Let the optimizer make one step with a rate; return the loss that is recorded for it."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._model.train()
        self._optimizer.zero_grad()
        total = 0.0
        for _ in range(self._accumulation):
            inputs, targets = next(batches)
            loss = self._criterion(self._model(inputs), targets) / self._accumulation
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        if not math.isfinite(total):
            return total
        self._optimizer.step()
        return total if self._validation is None else self._validated(self._validation)

    def _validated(self, validation: Iterable[tuple[Any, Any]]) -> float:
        """Return the mean loss per sample of the validation data."""
        import torch

        self._model.eval()
        total, samples = 0.0, 0
        with torch.no_grad():
            for inputs, targets in self._on_device(validation):
                total += self._criterion(self._model(inputs), targets).item() * len(targets)
                samples += len(targets)
        if samples == 0:
            raise ValueError("validation has no batches")
        return total / samples

    def _endless(self) -> Iterator[tuple[Any, Any]]:
        while True:
            empty = True
            for batch in self._on_device(self._batches):
                empty = False
                yield batch
            if empty:
                raise ValueError("there are no batches (left): pass a DataLoader or a list, not an iterator")

    def _on_device(self, batches: Iterable[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
        for inputs, targets in batches:
            yield self._moved(inputs), self._moved(targets)

    def _moved(self, value: Any) -> Any:
        return value.to(self._device) if hasattr(value, "to") else value

    @contextmanager
    def _kept_state(self) -> Iterator[None]:
        """Give model, optimizer and PyTorch's generators back as they were, without gradients."""
        import torch

        model, optimizer = copy.deepcopy((self._model.state_dict(), self._optimizer.state_dict()))
        modes = [(module, module.training) for module in self._model.modules()]
        devices = [self._device] if self._device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            try:
                yield
            finally:
                self._optimizer.zero_grad()
                self._model.load_state_dict(model)
                self._optimizer.load_state_dict(optimizer)
                for module, training in modes:
                    module.training = training


def sweep_rates(low: float, high: float, steps: int, sweep: str = "exponential") -> list[float]:
    """Return the rates of a sweep, from `low` to `high`.

    Raises
    ------
    ValueError
        They make no sweep.
    """
    if not 0 < low < high < math.inf:
        raise ValueError(f"a sweep goes from a positive rate to a higher one, not from {low} to {high}")
    if steps < 2:
        raise ValueError(f"a sweep has at least 2 steps, not {steps}")
    shares = [step / (steps - 1) for step in range(steps)]
    if sweep == "exponential":
        return [low * (high / low) ** share for share in shares]
    if sweep == "linear":
        return [low + (high - low) * share for share in shares]
    raise ValueError(f"a sweep is exponential or linear, not {sweep!r}")
