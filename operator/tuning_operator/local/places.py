"""Where a local run keeps what must outlive it: `.tuning/` in the current directory."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tuning_operator.api.names import study_folder
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import TuningError

NAMESPACE = "local"
"""Namespace of studies without a cluster."""


class AlreadyRunning(TuningError):
    """Another process runs the same study."""


class Places:
    """The files under one `.tuning/` directory."""

    def __init__(self, directory: Path = Path(".tuning")) -> None:
        self.directory = directory

    @property
    def database(self) -> Path:
        """The file with all histories; it appears with the first run."""
        return self.directory / "studies.db"

    @property
    def storage_url(self) -> str:
        """SQLAlchemy URL of the database; notebooks and optuna-dashboard open it too."""
        return f"sqlite:///{self.database}"

    def logs(self, study: StudyKey) -> Path:
        """Return the directory of the trials' logs."""
        return self.directory / "logs" / study_folder(study.name, study.uid)

    def checkpoints(self, study: StudyKey) -> Path:
        """Return the directory of the trials' checkpoints."""
        return self.directory / "checkpoints" / study_folder(study.name, study.uid)

    def runner_of(self, name: str) -> str | None:
        """Return the id of the process that runs a study here; None: none does."""
        try:
            with self._lock(name).open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return None
        except OSError:
            return self._lock(name).read_text().strip() or "unknown"
        return None

    def _lock(self, name: str) -> Path:
        return self.directory / f"{name}.lock"

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Hold a study's lock: it goes with the process, however that ends.

        Raises
        ------
        AlreadyRunning
            Another process holds it.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        with self._lock(name).open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.seek(0)
                holder = lock.read().strip() or "unknown"
                raise AlreadyRunning(
                    f"the study {name} is running already (process {holder}); wait for it, or stop it with Ctrl-C there"
                ) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield
