"""What `trial.save` keeps and `trial.resume` finds, whatever became of the files."""

from __future__ import annotations

import logging
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

import tuning_trainer as tuning
from tuning_trainer.testing import fake_study


@contextmanager
def attempt(directory: Path | None, number: int = 1, **fields: Any) -> Iterator[tuning.Trial]:
    """Run the block as an attempt at a trial with this checkpoint directory."""
    with fake_study(attempt=number, checkpoint_dir=directory, **fields):
        yield tuning.current_trial()


def saved(directory: Path, *steps: int, number: int = 1) -> None:
    """Save a checkpoint of each step whose state tells its step."""
    with attempt(directory, number) as trial:
        for step in steps:
            trial.save({"weights": torch.full((50, 50), float(step))}, step=step)


def resumed_step(directory: Path | None, number: int = 2, **fields: Any) -> int | None:
    """Return the step that a new attempt goes on from, after a look at its state."""
    with attempt(directory, number, **fields) as trial:
        checkpoint = trial.resume()
    if checkpoint is None:
        return None
    assert torch.equal(checkpoint.state["weights"], torch.full((50, 50), float(checkpoint.step)))
    return checkpoint.step


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_new_attempt_goes_on_from_the_last_checkpoint(tmp_path: Path) -> None:
    saved(tmp_path, 1, 2, 3)
    assert resumed_step(tmp_path) == 3


def test_a_first_attempt_finds_nothing(tmp_path: Path) -> None:
    assert resumed_step(tmp_path / "trial") is None


def test_whatever_a_training_needs_comes_back_as_it_was(tmp_path: Path) -> None:
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(3)).sum().backward()
    optimizer.step()
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "random": torch.get_rng_state(),
        "epoch": 7,
        "best": 0.5,
        "history": [1.0, None, {"done": True}],
    }
    with attempt(tmp_path) as trial:
        trial.save(state, step=7)
        checkpoint = trial.resume()
    assert checkpoint is not None
    assert checkpoint.step == 7
    assert str(checkpoint.state) == str(state)
    assert torch.equal(checkpoint.state["random"], state["random"])


def test_the_last_checkpoint_and_the_one_before_it_are_kept(tmp_path: Path) -> None:
    saved(tmp_path, 1, 2, 3, 4)
    assert names(tmp_path) == ["attempt-1-step-3.pt", "attempt-1-step-4.pt"]


def test_files_of_the_script_are_left_alone(tmp_path: Path) -> None:
    own = ["attempt-1-step-0.pt.txt", "checkpoint.pt", "model.tmp"]
    for name in own:
        (tmp_path / name).touch()
    saved(tmp_path, 1, 2, 3)
    assert set(own) < set(names(tmp_path))


def test_a_checkpoint_is_a_file_that_pytorch_reads_by_itself(tmp_path: Path) -> None:
    saved(tmp_path, 5)
    state = torch.load(tmp_path / "attempt-1-step-5.pt", weights_only=True)
    assert torch.equal(state["weights"], torch.full((50, 50), 5.0))


def test_an_attempt_that_goes_on_keeps_what_it_came_from_until_its_second_checkpoint(tmp_path: Path) -> None:
    saved(tmp_path, 1, 2)
    with attempt(tmp_path, 2) as trial:
        trial.resume()
        trial.save({}, step=3)
        assert names(tmp_path) == ["attempt-1-step-2.pt", "attempt-2-step-3.pt"]
        trial.save({}, step=4)
        assert names(tmp_path) == ["attempt-2-step-3.pt", "attempt-2-step-4.pt"]


def test_an_attempt_that_starts_afresh_takes_the_place_of_the_earlier_one(tmp_path: Path) -> None:
    saved(tmp_path, 8, 9)
    saved(tmp_path, 1, number=2)
    assert names(tmp_path) == ["attempt-2-step-1.pt"]
    assert resumed_step(tmp_path, 3) == 1


def test_an_attempt_that_should_be_gone_does_no_harm_to_its_successor(tmp_path: Path) -> None:
    with attempt(tmp_path, 1) as lost:
        lost.save({}, step=1)
        saved(tmp_path, 2, 3, number=2)
        (tmp_path / "attempt-2-step-4.tmp").touch()
        lost.save({}, step=50)
        lost.save({}, step=51)
    assert {"attempt-2-step-2.pt", "attempt-2-step-3.pt", "attempt-2-step-4.tmp"} < set(names(tmp_path))
    assert resumed_step(tmp_path, 3) == 3


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "attempt-1-step-4.tmp").write_bytes(b"half a")
    saved(tmp_path, 3, number=2)
    assert names(tmp_path) == ["attempt-2-step-3.pt"]


def test_an_own_checkpoint_comes_before_the_one_of_the_directory_to_resume_from(tmp_path: Path) -> None:
    parent, own = tmp_path / "parent", tmp_path / "own"
    saved(parent, 20)
    assert resumed_step(own, resume_from=parent) == 20
    saved(own, 5)
    assert resumed_step(own, resume_from=parent) == 5
    assert names(parent) == ["attempt-1-step-20.pt"]


def test_a_checkpoint_says_whether_it_is_another_trials(tmp_path: Path) -> None:
    parent, own = tmp_path / "parent", tmp_path / "own"
    saved(parent, 20)
    for number, resume_from, inherited in ((1, parent, True), (2, parent, False), (3, own, False)):
        with attempt(own, number, resume_from=resume_from) as trial:
            checkpoint = trial.resume()
            assert checkpoint is not None
            assert checkpoint.inherited is inherited
            trial.save({}, step=20 + number)


def test_when_no_own_checkpoint_can_be_read_the_training_goes_on_from_the_parents_again(tmp_path: Path) -> None:
    parent, own = tmp_path / "parent", tmp_path / "own"
    saved(parent, 20)
    saved(own, 21)
    (own / "attempt-1-step-21.pt").write_bytes(b"rubbish")
    assert resumed_step(own, resume_from=parent) == 20


def test_the_directory_to_resume_from_need_not_exist(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert resumed_step(tmp_path / "own", resume_from=tmp_path / "own") is None
    assert caplog.messages == []
    assert resumed_step(tmp_path / "own", resume_from=tmp_path / "nowhere") is None
    assert caplog.messages == [
        f"There is no checkpoint to go on from in {tmp_path / 'nowhere'}: the training starts afresh"
    ]


# Damage


def _cut(share: float) -> Callable[[bytes], bytes]:
    return lambda content: content[: int(len(content) * share)]


def _flip(share: float) -> Callable[[bytes], bytes]:
    def flipped(content: bytes) -> bytes:
        place = int(len(content) * share)
        return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]

    return flipped


def _zeros_from(share: float) -> Callable[[bytes], bytes]:
    return lambda content: content[: int(len(content) * share)].ljust(len(content), b"\0")


DAMAGES = {
    "empty": lambda content: b"",
    "a byte": lambda content: content[:1],
    "all but a byte": lambda content: content[:-1],
    "without its directory": _cut(0.9),
    "half": _cut(0.5),
    "a bit of a tensor": _flip(0.5),
    "blocks that were never written": _zeros_from(0.3),
    "all zeros": _zeros_from(0),
    "text": lambda content: b"rubbish\n" * 1000,
    "another program's archive": lambda content: b"PK\x03\x04" + content[100:],
    "a pickle": lambda content: pickle.dumps({"weights": [1, 2, 3]}),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_checkpoint_is_skipped_with_a_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[bytes], bytes]
) -> None:
    saved(tmp_path, 1, 2)
    newest = tmp_path / "attempt-1-step-2.pt"
    newest.write_bytes(damage(newest.read_bytes()))
    assert resumed_step(tmp_path) == 1
    (skipped,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert f"The checkpoint {newest} is skipped, it can't be read: " in skipped.message
    assert "\n" not in skipped.message


def test_a_checkpoint_that_was_cut_anywhere_is_skipped(tmp_path: Path) -> None:
    saved(tmp_path, 1)
    newest = tmp_path / "attempt-1-step-2.pt"
    content = (tmp_path / "attempt-1-step-1.pt").read_bytes()
    for length in {*range(0, len(content), 97), *range(len(content) - 200, len(content))}:
        newest.write_bytes(content[:length])
        assert resumed_step(tmp_path) == 1, length


def test_when_every_checkpoint_is_damaged_the_training_starts_afresh(tmp_path: Path) -> None:
    saved(tmp_path, 1, 2)
    for file in tmp_path.iterdir():
        file.write_bytes(b"rubbish")
    assert resumed_step(tmp_path) is None


def test_after_a_damaged_one_the_good_one_is_kept_and_the_damaged_one_goes(tmp_path: Path) -> None:
    saved(tmp_path, 1, 2)
    (tmp_path / "attempt-1-step-2.pt").write_bytes(b"")
    with attempt(tmp_path, 2) as trial:
        trial.resume()
        trial.save({}, step=3)
    assert names(tmp_path) == ["attempt-1-step-1.pt", "attempt-2-step-3.pt"]


@pytest.mark.parametrize("name", ["attempt-1-step-0.pt", "attempt-1-step-9999999999.pt", "attempt-1-step-x.pt"])
def test_names_that_no_attempt_gives_are_passed_over(tmp_path: Path, name: str) -> None:
    saved(tmp_path, 1)
    os.link(tmp_path / "attempt-1-step-1.pt", tmp_path / name)
    assert resumed_step(tmp_path) == 1


def test_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    saved(tmp_path, 1)
    (tmp_path / "attempt-1-step-2.pt").mkdir()
    os.mkfifo(tmp_path / "attempt-1-step-3.pt")  # opening it would wait for ever
    (tmp_path / "attempt-1-step-4.pt").symlink_to(tmp_path / "nowhere")
    assert resumed_step(tmp_path) == 1


class Attack:
    """Runs code where it is unpickled."""

    def __init__(self, victim: Path) -> None:
        self._victim = victim

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._victim,)


def test_a_hostile_checkpoint_runs_no_code(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    saved(tmp_path, 1)
    torch.save(Attack(tmp_path / "attacked"), tmp_path / "attempt-1-step-2.pt")
    assert resumed_step(tmp_path) == 1
    assert not (tmp_path / "attacked").exists()
    assert "which is not read because it could run code" in caplog.text


def test_a_state_that_could_not_be_read_back_is_refused_and_the_last_checkpoint_stays(tmp_path: Path) -> None:
    saved(tmp_path, 1)
    with (
        attempt(tmp_path, 2) as trial,
        pytest.raises(tuning.CheckpointError, match=r"it holds a torch\.nn\.modules\.linear\.Linear, .*state_dict"),
    ):
        trial.save({"model": torch.nn.Linear(1, 1)}, step=2)
    assert names(tmp_path) == ["attempt-1-step-1.pt"]


def test_a_full_disk_is_an_error_that_leaves_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tmp_path, 1)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with attempt(tmp_path, 2) as trial, pytest.raises(OSError, match="No space left"):
        trial.save({}, step=2)
    assert names(tmp_path) == ["attempt-1-step-1.pt"]


def test_older_checkpoints_go_only_after_the_new_one_is_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tmp_path, 1, 2)
    seen: list[tuple[str, list[str]]] = []
    real_fsync = os.fsync

    def watched(descriptor: int) -> None:
        seen.append((Path(os.readlink(f"/proc/self/fd/{descriptor}")).name, names(tmp_path)))
        real_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    saved(tmp_path, 3, number=2)
    old, new = ["attempt-1-step-1.pt", "attempt-1-step-2.pt"], "attempt-2-step-3"
    assert seen == [(f"{new}.tmp", [*old, f"{new}.tmp"]), (tmp_path.name, [*old, f"{new}.pt"])]
    assert names(tmp_path) == [f"{new}.pt"]


# Directories


def test_the_directory_is_made_when_it_is_first_needed(tmp_path: Path) -> None:
    directory = tmp_path / "team" / "digits-1111" / "7"
    with attempt(directory) as trial:
        assert trial.resume() is None
        assert not directory.parent.exists()
        assert trial.checkpoint_dir == directory
        assert directory.is_dir()


def test_the_directory_to_go_on_from_is_the_own_one_once_it_holds_anything(tmp_path: Path) -> None:
    parent, own = tmp_path / "parent", tmp_path / "own"
    with attempt(own, resume_from=parent) as trial:
        assert trial.resume_dir is None
        parent.mkdir()
        assert trial.resume_dir is None
        (parent / "last.ckpt").touch()
        assert trial.resume_dir == parent
        assert trial.checkpoint_dir == own
        assert trial.resume_dir == parent
        (own / "last.ckpt").touch()
        assert trial.resume_dir == own
    with attempt(None) as trial:
        assert trial.resume_dir is None


def test_a_directory_that_cannot_be_made_is_an_error_that_names_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "volume").touch()
    with attempt(tmp_path / "volume" / "7") as trial:
        with pytest.raises(tuning.CheckpointError, match=r"can't be made \(Not a directory\): .*fsGroup"):
            _ = trial.checkpoint_dir
        with pytest.raises(tuning.CheckpointError, match="can't be made"):
            trial.save({}, step=1)


def test_without_a_directory_saving_does_nothing_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    with attempt(None) as trial:
        assert trial.resume() is None
        trial.save({}, step=1)
        trial.save({}, step=2)
    assert caplog.messages == ["No checkpoint is saved: this training was given no directory for them"]


def test_without_pytorch_the_error_says_what_to_do_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(tmp_path, 1)
    monkeypatch.setitem(sys.modules, "torch", None)
    with attempt(tmp_path, 2) as trial:
        with pytest.raises(tuning.CheckpointError, match="write files of your own into checkpoint_dir"):
            trial.resume()
        with pytest.raises(tuning.CheckpointError, match="write files of your own into checkpoint_dir"):
            trial.save({}, step=2)


@pytest.mark.parametrize("step", [0, -1, 1.5, "1", None])
def test_a_step_counts_from_one(tmp_path: Path, step: Any) -> None:
    with attempt(tmp_path) as trial, pytest.raises(tuning.ReportError, match="step"):
        trial.save({}, step=step)
