"""What a study would try first."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.snapshot import OpenTrial, StudyKey
from tuning_operator.local.places import NAMESPACE
from tuning_operator.search import StudyRepositories


def first_suggestions(name: str, spec: StudySpec, count: int) -> Sequence[OpenTrial]:
    """Return the first trials that the sampler asks for while there are no results, at most `maxTrials`.

    They are those of a real run as far as they do not depend on results, and only with a seed the same each time.
    """

    async def ask(directory: str) -> Sequence[OpenTrial]:
        repositories = StudyRepositories(f"sqlite:///{Path(directory) / 'preview.db'}")
        try:
            repository = await repositories.open(StudyKey(NAMESPACE, name, str(uuid.uuid4())), spec)
            trials: list[OpenTrial] = []
            history = repository.history()
            while len(trials) < min(count, spec.max_trials) and not (history.exhausted or history.waits):
                trials += await repository.ask(min(count, spec.max_trials) - len(trials))
                history = repository.history()
            return trials
        finally:
            await repositories.aclose()

    if count == 0:
        return ()
    with TemporaryDirectory(prefix="tuning-preview-") as directory:
        return asyncio.run(ask(directory))
