"""One checkpoint on disk, in the format of `torch.save`: written whole or not at all, read without trust.

The directory may be shared and what lies in it hostile: nothing that is read can run code.
"""

from __future__ import annotations

import os
import pickle
import re
import zipfile
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from tuning_trainer.errors import CheckpointError


def write(state: object, path: Path) -> None:
    """Let the file appear complete and durable, or not at all.

    Raises
    ------
    CheckpointError
        The state holds what `read` would refuse, or PyTorch is not installed.
    OSError
        The file cannot be written.
    """
    temporary = path.with_suffix(".tmp")
    try:
        with temporary.open("wb") as file:
            _torch().save(state, file)
            file.flush()
            os.fsync(file.fileno())
        _check(temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _check(path: Path) -> None:
    """Refuse now what `read` would refuse when the training is to go on; tensors are mapped, not read."""
    try:
        _load(path, mmap=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"the state can't be saved: {error}; save tensors, numbers, strings, and lists and dicts of them, such as "
            "state_dict() returns, or allow the class with torch.serialization.add_safe_globals"
        ) from error


def read(path: Path) -> Any:
    """Return the state, its tensors in the CPU's memory; a damaged or hostile file raises an exception of any kind."""
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()  # PyTorch writes checksums, but does not look at them
    if damaged is not None:
        raise zipfile.BadZipFile(f"the checksum of {damaged} is wrong")
    return _load(path)


def _load(path: Path, mmap: bool = False) -> Any:
    try:
        return _torch().load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL (\S+)", str(error))  # PyTorch's own message advises to read it all the same
        if found is None:
            raise
        raise pickle.UnpicklingError(f"it holds a {found[1]}, which is not read because it could run code") from error


def _sync(directory: Path) -> None:
    """Make a directory's entries durable, where the file system can."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _torch() -> ModuleType:
    try:
        import torch
    except ModuleNotFoundError as missing:
        raise CheckpointError(
            "save and resume are for PyTorch, which is not installed: write files of your own into checkpoint_dir"
        ) from missing
    return torch
