"""What a study would try first."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.decisions.trials import OpenTrial
from tuning_operator.errors import TuningError
from tuning_operator.local.places import NAMESPACE, Places
from tuning_operator.search import StudyRepositories
from tuning_operator.search.database import Database
from tuning_operator.search.warm_start import read_warm_start


@dataclass(frozen=True)
class Outlook:
    """What is known of a search before its first trial."""

    trials: Sequence[OpenTrial]
    """The first ones."""
    size: int | None
    """How many it can have; None: endlessly many, or not known yet."""
    why_none: str = ""
    """Why constraints leave not even a first one, as a sentence; empty: they leave one, or there are none."""


def outlook_of(name: str, spec: StudySpec, count: int) -> Outlook:
    """Return the first trials that the sampler asks for while there are no results, at most `count` and `maxTrials`.

    Of a warm start they know what stands in the file, and nothing of other studies.
    They are those of a real run as far as they do not depend on results, and only with a seed the same each time.
    """

    async def ask(directory: str) -> Outlook:
        repositories = StudyRepositories(f"sqlite:///{Path(directory) / 'preview.db'}")
        try:
            repository = await repositories.open(_new_key(name), _by_itself(spec))
            trials: list[OpenTrial] = []
            history = repository.history()
            size = history.size
            wanted = min(max(count, 1 if spec.constraints else 0), spec.max_trials)
            while len(trials) < wanted and not (history.exhausted or history.waits):
                trials += await repository.ask(wanted - len(trials))
                history = repository.history()
            return Outlook(trials[:count], size, "" if trials else history.infeasible)
        finally:
            await repositories.aclose()

    with TemporaryDirectory(prefix="tuning-preview-") as directory:
        return asyncio.run(ask(directory))


def warm_start_report(name: str, spec: StudySpec, places: Places | None = None) -> str:
    """Return what a run here would know of its warm start, and what does not fit, as a sentence; empty: it has none."""
    places = places or Places()
    if not places.database.exists() and _by_itself(spec) != spec:
        return "other studies are read when this one starts; there are none here"
    try:
        known = read_warm_start(Database(places.storage_url), _new_key(name), "", spec)
    except TuningError as error:
        return f"a run on this machine can't read it: {error}"
    return "" if known is None else str(known["report"])


def _new_key(name: str) -> StudyKey:
    return StudyKey(NAMESPACE, name, str(uuid.uuid4()))


def _by_itself(spec: StudySpec) -> StudySpec:
    """Return a spec without what lies in other studies."""
    tables = [each for each in spec.search.warm_start if each.csv is not None]
    return spec.model_copy(update={"search": spec.search.model_copy(update={"warm_start": tables})})
