"""Checks again and again, beside the faults, what must hold at every moment."""

from __future__ import annotations

import threading

from tests.faults.cluster_view import ClusterAway
from tests.faults.stage import Stage
from tests.faults.storage_view import StorageAway

INTERVAL_SECONDS = 1.0


class Watchman:
    """Looks once a second while its `with` block runs."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchman", daemon=True)
        self.found: list[str] = []
        self.looks = 0
        """How often everything could be read."""
        self.failure: Exception | None = None
        """What ended the watch early."""

    def __enter__(self) -> Watchman:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        if self.failure is not None:
            raise self.failure

    @property
    def is_content(self) -> bool:
        """Whether nothing was found, by a watchman who still looks."""
        return not self.found and self.failure is None

    def _watch(self) -> None:
        while not self._stopping.wait(INTERVAL_SECONDS):
            try:
                found = self._stage.violated_now()
            except (ClusterAway, StorageAway):
                continue
            except Exception as failure:  # noqa: BLE001 - raised again where somebody sees it
                self.failure = failure
                return
            self.looks += 1
            if found:
                self.found = found
                return
