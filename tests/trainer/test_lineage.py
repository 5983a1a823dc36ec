"""A training that goes on with another trial's net, as the strategies with lineage ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tuning_trainer as tuning
from tests.trainer.digits_training import trained
from tuning_trainer.tasks.digits_mlp import DIGITS_MLP
from tuning_trainer.tasks.mlp import ACTIVATIONS, OPTIMIZERS, build_model, build_optimizer
from tuning_trainer.tasks.parameters import read_all
from tuning_trainer.tasks.training_state import resume, training_state
from tuning_trainer.testing import fake_study

pytestmark = pytest.mark.training

SMALL = {"hidden_layers": 2, "hidden_units": 8}


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def values(study: Any) -> list[tuple[int, dict[str, float]]]:
    return [(report.step, report.values) for report in study.reports]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_promoted_trial_trains_as_if_its_parent_had_not_stopped(tmp_path: Path, optimizer: str) -> None:
    parameters = {**SMALL, "optimizer": optimizer, "dropout": 0.3}
    parent, child = tmp_path / "7", tmp_path / "9"
    first = trained(budget=2, seed=7, checkpoint_dir=parent, **parameters)
    before = contents(parent)
    promoted = trained(budget=5, seed=9, checkpoint_dir=child, resume_from=parent, **parameters)

    undisturbed = trained(budget=5, seed=7, **parameters)
    assert values(first) + values(promoted) == values(undisturbed)
    assert contents(parent) == before
    assert set(contents(child)) == {"attempt-1-step-4.pt", "attempt-1-step-5.pt"}


def test_grandchildren_count_the_epochs_of_all_their_ancestors(tmp_path: Path) -> None:
    for generation, budget in ((1, 1), (2, 3), (3, 4)):
        study = trained(
            budget=budget,
            checkpoint_dir=tmp_path / str(generation),
            resume_from=tmp_path / str(generation - 1),
            learning_rate=0.01 / generation,
            **SMALL,
        )
        assert study.reports[-1].step == budget
    assert [report.step for report in study.reports] == [4]


def test_a_child_that_is_tried_again_goes_on_from_its_own_checkpoint(tmp_path: Path) -> None:
    parent, child = tmp_path / "parent", tmp_path / "child"
    trained(budget=2, checkpoint_dir=parent, **SMALL)
    interrupted = trained(budget=3, checkpoint_dir=child, resume_from=parent, learning_rate=0.01, **SMALL)
    again = trained(budget=5, attempt=2, checkpoint_dir=child, resume_from=parent, learning_rate=0.01, **SMALL)

    at_once = trained(budget=5, checkpoint_dir=tmp_path / "other", resume_from=parent, learning_rate=0.01, **SMALL)
    assert values(interrupted) + values(again) == values(at_once)


def test_children_of_one_parent_differ_by_their_parameters_alone(tmp_path: Path) -> None:
    trained(budget=1, checkpoint_dir=tmp_path / "parent", **SMALL)

    def child(number: int, **changed: Any) -> list[float]:
        study = trained(budget=2, seed=number, resume_from=tmp_path / "parent", **{**SMALL, **changed})
        return study.values("val_loss")

    assert child(1) == child(2)
    assert child(1) != child(3, learning_rate=0.05)
    assert child(1) != child(3, batch_size=41)
    assert child(1) != child(3, activation_2="tanh")
    assert child(1) != child(3, optimizer="sgd")


def test_another_shape_than_the_parents_fails_with_a_sentence(tmp_path: Path) -> None:
    trained(budget=1, checkpoint_dir=tmp_path, **SMALL)
    with pytest.raises(tuning.TrialFailed, match="hidden_units is 16, but 8 in the net that this trial goes on with"):
        trained(budget=2, resume_from=tmp_path, hidden_layers=2, hidden_units=16)
    with pytest.raises(tuning.TrialFailed, match="make hidden_layers a Fixed parameter"):
        trained(budget=2, resume_from=tmp_path, hidden_layers=3, hidden_units=8)


def test_a_parent_that_had_the_whole_budget_leaves_nothing_to_train(tmp_path: Path) -> None:
    trained(budget=3, checkpoint_dir=tmp_path, **SMALL)
    with pytest.raises(tuning.TrialFailed, match=r"has had 3 epochs already, .*: nothing is left to train"):
        trained(budget=3, resume_from=tmp_path, **SMALL)


def test_a_parent_whose_checkpoints_are_gone_is_begun_anew(tmp_path: Path) -> None:
    study = trained(budget=3, resume_from=tmp_path / "gone", **SMALL)
    assert [report.step for report in study.reports] == [1, 2, 3]


def test_a_checkpoint_of_an_earlier_version_does_not_say_its_parameters(tmp_path: Path) -> None:
    trained(budget=1, checkpoint_dir=tmp_path, **SMALL)
    (file,) = tmp_path.iterdir()
    state = torch.load(file, weights_only=True)
    del state["parameters"]
    torch.save(state, file)
    study = trained(budget=3, attempt=2, checkpoint_dir=tmp_path, **SMALL)
    assert [report.step for report in study.reports] == [2, 3]


# What changes, and what does not

net_parameters = st.fixed_dictionaries(
    {
        "optimizer": st.sampled_from(OPTIMIZERS),
        "learning_rate": st.floats(1e-5, 0.5),
        "momentum": st.sampled_from([0.0, 0.5, 0.9]),
        "batch_size": st.integers(1, 200),
        "dropout": st.sampled_from([0.0, 0.5]),
        "activation_1": st.sampled_from(sorted(ACTIVATIONS)),
        "activation_2": st.sampled_from(sorted(ACTIVATIONS)),
    }
)


def step(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Learn from random images once."""
    optimizer.zero_grad()
    model(torch.randn(16, 64)).square().mean().backward()
    optimizer.step()


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=60)
@given(before=net_parameters, after=net_parameters)
def test_whatever_parameters_change_the_net_keeps_its_weights(
    tmp_path_factory: pytest.TempPathFactory, before: dict[str, Any], after: dict[str, Any]
) -> None:
    parent, child = (read_all(DIGITS_MLP.parameters, {**SMALL, **parameters}) for parameters in (before, after))
    directory = tmp_path_factory.mktemp("parent")
    model = build_model(parent)
    optimizer = build_optimizer(model, parent, parent["learning_rate"])
    step(model, optimizer)
    with fake_study(checkpoint_dir=directory):
        tuning.current_trial().save(training_state(model, optimizer, parent), step=1)

    net = build_model(child)
    own = build_optimizer(net, child, child["learning_rate"])
    with fake_study(resume_from=directory):
        assert resume(tuning.current_trial(), net, own, child, epochs=2) == 1

    weights = net.state_dict()
    assert weights.keys() == model.state_dict().keys()
    assert all(torch.equal(weights[name], tensor) for name, tensor in model.state_dict().items())
    assert [type(layer).__name__ for layer in net if isinstance(layer, torch.nn.Linear)] == ["Linear"] * 3
    activations = [type(layer).__name__ for layer in net][1:6:3]
    assert activations == [ACTIVATIONS[child["activation_1"]], ACTIVATIONS[child["activation_2"]]]
    (group,) = own.param_groups
    assert group["lr"] == child["learning_rate"]
    assert group.get("momentum", child["momentum"]) == child["momentum"]
    assert bool(own.state) == (before["optimizer"] == after["optimizer"] and bool(optimizer.state))
    step(net, own)


@pytest.mark.parametrize(("optimizer", "moment"), [("adam", "exp_avg"), ("sgd", "momentum_buffer")])
def test_the_same_optimizer_keeps_its_moments(tmp_path: Path, optimizer: str, moment: str) -> None:
    parameters = read_all(DIGITS_MLP.parameters, {**SMALL, "optimizer": optimizer})
    model = build_model(parameters)
    trained_optimizer = build_optimizer(model, parameters, 0.1)
    step(model, trained_optimizer)
    with fake_study(checkpoint_dir=tmp_path):
        tuning.current_trial().save(training_state(model, trained_optimizer, parameters), step=1)
    net = build_model(parameters)
    fresh = build_optimizer(net, parameters, 0.01)
    with fake_study(resume_from=tmp_path):
        resume(tuning.current_trial(), net, fresh, parameters, epochs=2)
    for old, new in zip(model.parameters(), net.parameters(), strict=True):
        assert torch.equal(trained_optimizer.state[old][moment], fresh.state[new][moment])
