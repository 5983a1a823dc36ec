"""The studies that run meanwhile."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.faults.cluster_view import has_ended, name_of
from tests.faults.stage import Stage
from tests.support.api_client import ApiRefused

AT_ONCE = 3
"""Studies that run at the same time."""
PRINTING = 3
"""Of so many studies one has its metrics read from logs."""
_PRUNERS: tuple[dict[str, Any], ...] = (
    {"name": "Median", "options": {"nStartupTrials": 3, "nWarmupSteps": 1}},
    {"name": "None"},
)


class Population:
    """Studies with pruning and failures; where one has ended, another begins."""

    def __init__(self, stage: Stage, chance: Random) -> None:
        self._stage = stage
        self._chance = chance
        self.born = 0

    def fill(self) -> None:
        """Start studies until enough run; while the API server is away, later."""
        try:
            for _ in range(AT_ONCE - len(self.running())):
                self._begin()
        except (ApiRefused, OSError):
            return

    def running(self) -> list[str]:
        """Return the names of studies that have not ended. Raises ApiRefused and OSError."""
        studies = self._stage.control_plane.api.get(self._stage.path())["items"]
        return [name_of(study) for study in studies if not has_ended(study)]

    def _begin(self) -> None:
        chance = self._chance
        trainer = {
            "steps": chance.randint(2, 6),
            "seconds": chance.choice((0.2, 0.5, 1.0)),
            "failing": chance.choice((0.0, 0.1, 0.3)),
            "prints": self.born % PRINTING == 1,
        }
        search = {"sampler": {"name": "Random"}, "seed": self.born, "pruner": chance.choice(_PRUNERS)}
        self._stage.apply(
            f"study-{self.born}",
            trainer=trainer,
            search=search,
            maxTrials=chance.randint(10, 40),
            parallelism=chance.randint(2, 5),
            ttl="3m",
        )
        self.born += 1
