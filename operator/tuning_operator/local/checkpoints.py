"""The trials' checkpoint directories on this machine: where they are, and which are removed."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

from tuning_contract.environment import RUN_VARIABLE
from tuning_operator.decisions.seen_jobs import TrialJob
from tuning_operator.ports import TrialRepository


class CheckpointFolders:
    """One directory per trial, the same for all its attempts; the SDK makes it when the script first saves."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()  # a training script may change its working directory

    def of(self, trial: int) -> Path:
        """Return a trial's directory, which may not exist."""
        return self._root / str(trial)

    def variables(self, trial: int, attempt: int, parent: int | None = None, run: int | None = None) -> dict[str, str]:
        """Return what an attempt is told of it, in place of a cluster's volume, and which of several runs it is."""
        which = {} if run is None else {RUN_VARIABLE: str(run)}
        further = {}
        if parent is not None or attempt > 1:
            further = {"TUNING_RESUME_FROM": str(self._of_run(trial if parent is None else parent, run))}
        return {**which, "TUNING_CHECKPOINT_DIR": str(self._of_run(trial, run)), **further}

    def _of_run(self, trial: int, run: int | None) -> Path:
        """Return the directory of one of several runs, below the trial's; None: the trial has only one."""
        return self.of(trial) if run is None else self.of(trial) / f"run-{run}"

    def unneeded(
        self, trials: TrialRepository, jobs: Collection[TrialJob], *, may_be_parents: bool = False
    ) -> list[Path]:
        """Return the directories of trials that have ended, but those of the best one, or of the front, and of the
        parents of open trials.

        A trial can end before its process does, which may still be saving its model. Where others go on from such
        directories, each may be needed until there is nothing more to try.
        """
        history = trials.history()
        if may_be_parents and not history.exhausted:
            return []
        needed = {job.trial for job in jobs if job.is_active} | {trial.trial.number for trial in history.front.members}
        needed |= {history.best.number} if history.best else set()
        needed |= {trial.lineage.source for trial in history.open if trial.lineage.source is not None}
        numbers = [int(path.name) for path in self._root.glob("[0-9]*") if path.name.isdecimal()]
        return [self.of(trial) for trial in numbers if trial not in needed and trials.finished(trial) is not None]


def remove(folders: Collection[Path]) -> None:
    """Remove directories; what can't be removed now stays for the next time."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
