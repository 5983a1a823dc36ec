"""The sweep itself: which rate meets which loss, when it ends, and that nothing of it is left afterwards."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from tuning_trainer.lr_range import LRCurve, LRRangeTest, sweep_rates

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Machines that run tests are busy."""
ONE = [(torch.ones(1), torch.zeros(1))]


class Weight(nn.Module):
    """A model that is one number, and gives it back whatever the input."""

    def __init__(self, value: float = 0.0) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value, dtype=torch.float64))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.value


def weight_itself(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """A loss whose derivative is 1."""
    return output


def swept(losses: list[float], **options: Any) -> LRCurve:
    """Return the curve of a sweep whose steps have these losses."""
    following = iter(losses)
    model = Weight()

    def criterion(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return 0 * output + next(following)

    test = LRRangeTest(model, torch.optim.SGD(model.parameters(), lr=0.1), criterion, ONE)
    return test.run(1e-3, 1.0, len(losses), **options)


# Rates


def test_the_rates_are_evenly_spaced_by_their_logarithm_or_by_themselves() -> None:
    assert sweep_rates(1e-4, 1.0, 5) == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1.0])
    assert sweep_rates(0.2, 1.0, 5, "linear") == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


@unhurried
@given(st.floats(1e-9, 1e-1), st.floats(1.01, 1e6), st.integers(2, 500), st.sampled_from(["exponential", "linear"]))
def test_rates_rise_from_end_to_end(low: float, factor: float, steps: int, sweep: str) -> None:
    rates = sweep_rates(low, low * factor, steps, sweep)
    assert len(rates) == steps
    assert (rates[0], rates[-1]) == (pytest.approx(low), pytest.approx(low * factor))
    assert all(earlier < later for earlier, later in pairwise(rates))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((0.0, 1.0, 10), "from a positive rate to a higher one, not from 0.0 to 1.0"),
        ((1.0, 1.0, 10), "from a positive rate to a higher one"),
        ((math.nan, 1.0, 10), "from a positive rate to a higher one"),
        ((1e-3, math.inf, 10), "from a positive rate to a higher one"),
        ((1e-3, 1.0, 1), "at least 2 steps, not 1"),
        ((1e-3, 1.0, 10, "cosine"), "exponential or linear, not 'cosine'"),
    ],
)
def test_what_makes_no_sweep_is_refused(arguments: tuple[Any, ...], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        sweep_rates(*arguments)


# Steps


def test_each_loss_is_recorded_with_the_rate_of_its_own_step() -> None:
    """The weight falls by each rate in turn, so that the loss says which rates have acted on it."""
    model = Weight(5.0)
    seen = []
    test = LRRangeTest(model, torch.optim.SGD(model.parameters(), lr=123.0), weight_itself, ONE)
    curve = test.run(0.01, 1.0, 20, on_point=seen.append)
    rates = sweep_rates(0.01, 1.0, 20)
    assert [point.learning_rate for point in curve.points] == rates
    assert [point.loss for point in curve.points] == pytest.approx([5.0 - sum(rates[:step]) for step in range(20)])
    assert list(curve.points) == seen
    assert not curve.diverged


def test_the_loss_of_validation_data_is_measured_after_the_step_and_per_sample() -> None:
    model = Weight(5.0)
    modes = []

    def criterion(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        modes.append(model.training)
        return output + targets.mean()

    validation = [(torch.zeros(3), torch.zeros(3)), (torch.zeros(1), torch.ones(1))]
    test = LRRangeTest(model, torch.optim.SGD(model.parameters(), lr=1.0), criterion, ONE, validation=validation)
    curve = test.run(0.01, 1.0, 4)
    rates = sweep_rates(0.01, 1.0, 4)
    assert [point.loss for point in curve.points] == pytest.approx(
        [5.0 - sum(rates[: step + 1]) + 1 / 4 for step in range(4)]
    )
    assert modes == [True, False, False] * 4


def test_accumulated_batches_make_one_step_with_their_mean_loss() -> None:
    batches = [(torch.ones(1), torch.full((1,), target)) for target in (1.0, 2.0, 3.0, 4.0)]
    model = Weight(0.0)
    test = LRRangeTest(
        model, torch.optim.SGD(model.parameters(), lr=1.0), lambda output, target: output + target.mean(), batches,
        accumulation=2,
    )  # fmt: skip
    curve = test.run(0.1, 0.3, 3, sweep="linear")
    assert [point.loss for point in curve.points] == pytest.approx([1.5, 3.5 - 0.1, 1.5 - 0.3])


def test_all_parameter_groups_get_the_rate_and_have_their_own_again() -> None:
    first, second = Weight(), Weight()
    model = nn.ModuleList([first, second])
    optimizer = torch.optim.SGD([{"params": first.parameters(), "lr": 0.5}, {"params": second.parameters()}], lr=0.25)
    rates = []
    optimizer.register_step_pre_hook(lambda *_: rates.append([group["lr"] for group in optimizer.param_groups]))
    model.forward = lambda inputs: first(inputs) + second(inputs)  # type: ignore[method-assign]
    LRRangeTest(model, optimizer, weight_itself, ONE).run(0.1, 0.2, 2)
    assert rates == [[0.1, 0.1], pytest.approx([0.2, 0.2])]
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.25]


# Ends


def test_the_sweep_ends_when_the_mean_grows_beyond_a_multiple_of_its_smallest() -> None:
    curve = swept([2.0, 1.0, 3.9, 4.0, 4.1, 1.0], smoothing=0)
    assert curve.diverged
    assert [point.loss for point in curve.points] == [2.0, 1.0, 3.9, 4.0, 4.1]
    assert len(swept([2.0, 1.0, 3.9, 4.0, 4.1, 1.0], smoothing=0, divergence=5).points) == 6


def test_one_bad_batch_is_no_divergence() -> None:
    curve = swept([2.0] * 10 + [9.0] + [2.0] * 5)
    assert not curve.diverged
    assert curve.points[10].smoothed == pytest.approx(2.0 + 7.0 * 0.1 / (1 - 0.9**11))


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_the_sweep_ends_at_a_loss_that_is_no_number_without_recording_it(broken: float) -> None:
    curve = swept([2.0, 1.0, broken, 1.0])
    assert curve.diverged
    assert [point.loss for point in curve.points] == [2.0, 1.0]


def test_a_loss_that_becomes_negative_does_not_diverge_by_the_factor() -> None:
    curve = swept([1.0, -1.0, -0.5, 0.5, 2.0], smoothing=0)
    assert not curve.diverged
    assert len(curve.points) == 5


def test_batches_begin_again_when_they_are_used_up() -> None:
    batches = [(torch.ones(1), torch.full((1,), target)) for target in (1.0, 2.0, 3.0)]
    model = Weight()
    test = LRRangeTest(model, torch.optim.SGD(model.parameters(), lr=1.0), lambda o, t: 0 * o + t.mean(), batches)
    assert [point.loss for point in test.run(0.1, 1.0, 7).points] == [1, 2, 3, 1, 2, 3, 1]


@pytest.mark.parametrize("batches", [[], iter(ONE)], ids=["none", "an iterator"])
def test_batches_that_end_are_refused_with_a_sentence(batches: Any) -> None:
    model = Weight()
    with pytest.raises(ValueError, match=r"there are no batches .*DataLoader or a list"):
        LRRangeTest(model, torch.optim.SGD(model.parameters(), lr=1.0), weight_itself, batches).run(0.1, 1.0, 5)


def test_a_scheduler_is_refused() -> None:
    model = Weight()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    torch.optim.lr_scheduler.StepLR(optimizer, step_size=1)
    with pytest.raises(ValueError, match="the optimizer has a scheduler"):
        LRRangeTest(model, optimizer, weight_itself, ONE).run()


@pytest.mark.parametrize("options", [{"smoothing": 1.0}, {"smoothing": -0.1}, {"divergence": 1.0}])
def test_options_without_a_meaning_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="smoothing must be from 0"):
        swept([1.0, 1.0], **options)


# What is left


class Noisy(nn.Module):
    """A net with all that a step may change: weights, buffers, and random numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2))
        self.layers[1].eval()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.layers(inputs)  # type: ignore[no-any-return]


def prepared() -> tuple[Noisy, torch.optim.Optimizer, DataLoader[Any]]:
    """Return a net that was trained for a step, its optimizer with moments, and batches in random order."""
    torch.manual_seed(3)
    model = Noisy()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    batches = DataLoader(TensorDataset(torch.randn(40, 4), torch.randint(2, (40,))), 8, shuffle=True)
    train(model, optimizer, batches)
    return model, optimizer, batches


def train(model: nn.Module, optimizer: torch.optim.Optimizer, batches: DataLoader[Any]) -> None:
    for inputs, labels in batches:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()


@pytest.mark.parametrize("ends", ["quietly", "by an error"])
def test_a_training_after_the_test_is_the_same_as_without_it(ends: str) -> None:
    undisturbed, optimizer, batches = prepared()
    modes = [module.training for module in undisturbed.modules()]
    train(undisturbed, optimizer, batches)

    model, optimizer, batches = prepared()
    before = copy.deepcopy(optimizer.state_dict())
    test = LRRangeTest(model, optimizer, nn.functional.cross_entropy, batches)

    def stop(point: object) -> None:
        if ends == "by an error":
            raise InterruptedError

    if ends == "by an error":
        with pytest.raises(InterruptedError):
            test.run(1e-3, 1.0, 20, on_point=stop)
    else:
        assert len(test.run(1e-3, 1.0, 20, on_point=stop).points) == 20
    assert str(optimizer.state_dict()) == str(before)
    assert [module.training for module in model.modules()] == modes
    assert all(parameter.grad is None for parameter in model.parameters())
    train(model, optimizer, batches)
    for name, tensor in undisturbed.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name]), name


def test_the_same_seed_gives_the_same_curve() -> None:
    def curves() -> Iterator[LRCurve]:
        model, optimizer, batches = prepared()
        test = LRRangeTest(model, optimizer, nn.functional.cross_entropy, batches)
        for _ in range(2):
            yield test.run(1e-3, 1.0, 20)

    first, again = curves()
    assert first == again


def test_the_page_shows_a_test_that_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "learning-rate.md").read_text()
    (snippet,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    model, optimizer, batches = prepared()
    exec(snippet, {"torch": torch, "model": model, "optimizer": optimizer, "train_loader": batches})
    assert capsys.readouterr().out
