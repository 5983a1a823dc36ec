"""A trial's checkpoints: which there are, which is the newest, and which are kept.

A checkpoint is one file named after the attempt and the steps done, `attempt-2-step-31.pt`, so whoever lists the
directory knows the newest. The one before it stays until the next is in place: should the newest turn out to be
damaged, the training goes on from there.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tuning_contract.reports import MAX_STEP
from tuning_trainer.checkpoint_file import read, write
from tuning_trainer.errors import CheckpointError

_FILE = re.compile(r"attempt-([0-9]{1,10})-step-([0-9]{1,10})\.(pt|tmp)")
"""A checkpoint, or what is left of one whose writer was killed."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """What a training goes on from."""

    step: int
    """Steps done: the training goes on with the next one."""
    state: Any
    """What was saved; its tensors are in the CPU's memory."""
    inherited: bool = False
    """Whether another trial saved it, this one's parent, whose parameters may have been others."""


class _File(NamedTuple):
    """A file of some attempt; a newer attempt's is newer, whatever its step."""

    attempt: int
    step: int
    path: Path


class Checkpoints:
    """The checkpoints of one trial, as one of its attempts reads and writes them.

    An attempt leaves the files of newer ones alone: a pod on a lost node may go on for a while beside its successor.
    """

    def __init__(self, directory: Path | None, resume_from: Path | None = None, attempt: int = 1) -> None:
        self._directory = directory
        self._resume_from = resume_from
        self._attempt = attempt
        self._last: Path | None = None
        """The one that this process read or wrote last: it is known to be good."""
        self._said_nowhere = False

    def directory(self) -> Path | None:
        """Return the directory, which exists then; None: there is none.

        Raises
        ------
        CheckpointError
            It cannot be made.
        """
        if self._directory is not None:
            try:
                self._directory.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise CheckpointError(
                    f"the checkpoint directory {self._directory} can't be made ({error.strerror}): the volume must be "
                    "writable for the user or a group of this process, in a pod by `securityContext.fsGroup`"
                ) from error
        return self._directory

    def found(self) -> Path | None:
        """Return the directory that the training goes on from: the own one if anything is in it, else the other.

        None: there is nothing in either.
        """
        for directory in (self._directory, self._resume_from):
            if directory is not None and directory.is_dir() and any(directory.iterdir()):
                return directory
        return None

    def save(self, state: object, step: int) -> None:
        """Write a checkpoint and remove those before the last one; without a directory, log once that nothing is kept.

        Raises
        ------
        CheckpointError
            The directory cannot be made, or the state holds something that could not be read back safely.
        OSError
            The file cannot be written; the checkpoints before it are as they were.
        """
        directory = self.directory()
        if directory is None:
            self._say_nowhere()
            return
        self._remove(directory, "tmp")
        path = directory / f"attempt-{self._attempt}-step-{step}.pt"
        write(state, path)
        self._remove(directory, "pt", kept=(path, self._last))
        self._last = path

    def newest(self) -> Checkpoint | None:
        """Return the newest checkpoint that can be read: this trial's own, else that of the directory to resume from.

        What cannot be read is skipped, with a line in the log. An own one comes first: an attempt whose pod a queue
        suspended gets another pod, and goes on too.

        Raises
        ------
        CheckpointError
            There is a checkpoint, but PyTorch is not installed.
        """
        for directory in dict.fromkeys((self._directory, self._resume_from)):
            for file in sorted(_files(directory, "pt"), reverse=True):
                try:
                    state = read(file.path)
                except CheckpointError:  # PyTorch is missing: that is no fault of the file
                    raise
                except Exception as error:  # noqa: BLE001  # rubbish makes zipfile and torch raise anything
                    _log.warning("The checkpoint %s is skipped, it can't be read: %s", file.path, _first_line(error))
                    continue
                self._last = file.path
                _log.info("The training goes on from %s", file.path)
                return Checkpoint(file.step, state, inherited=directory != self._directory)
        if self._resume_from not in (None, self._directory):
            _log.warning("There is no checkpoint to go on from in %s: the training starts afresh", self._resume_from)
        return None

    def _remove(self, directory: Path, ending: str, kept: Collection[Path | None] = ()) -> None:
        for file in _files(directory, ending):
            if file.attempt <= self._attempt and file.path not in kept:
                with suppress(OSError):  # the next one tries again
                    file.path.unlink()

    def _say_nowhere(self) -> None:
        if not self._said_nowhere:
            self._said_nowhere = True
            _log.warning("No checkpoint is saved: this training was given no directory for them")


def _files(directory: Path | None, ending: str) -> Iterator[_File]:
    if directory is None or not directory.is_dir():
        return
    for path in directory.iterdir():
        match = _FILE.fullmatch(path.name)
        if match is not None and match[3] == ending and 1 <= int(match[2]) <= MAX_STEP and path.is_file():
            yield _File(int(match[1]), int(match[2]), path)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0]
