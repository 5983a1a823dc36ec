"""What a study would try first."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.schedule import schedule_of
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
    warm_start: Sequence[str] = ()
    """What it would know of its warm start, and what does not fit, as sentences; none: it has none."""


def outlook_of(name: str, spec: StudySpec, count: int, places: Places | None = None) -> Outlook:
    """Return the first trials that the sampler asks for while there are no results, at most `count` and `maxTrials`.

    They are those of a real run on this machine as far as they do not depend on results, and only with a seed the same
    each time.
    """
    places = places or Places()
    readable, why_not = _readable(name, spec, places)

    async def ask(directory: str) -> Outlook:
        preview, sources = f"sqlite:///{Path(directory) / 'preview.db'}", Database(places.storage_url)
        repositories = StudyRepositories(preview, sources=sources)
        try:
            repository = await repositories.open(_new_key(name), readable)
            trials: list[OpenTrial] = []
            history = repository.history()
            size, warm_start = history.size, history.warm_start.split("; ") if history.warm_start else []
            wanted = min(max(count, 1 if spec.constraints else 0), spec.max_trials, _before_any_result(spec))
            while len(trials) < wanted and not (history.exhausted or history.waits):
                trials += await repository.ask(wanted - len(trials))
                history = repository.history()
            return Outlook(trials[:count], size, "" if trials else history.infeasible, [*warm_start, *why_not])
        finally:
            await repositories.aclose()
            sources.close()

    with TemporaryDirectory(prefix="tuning-preview-") as directory:
        return asyncio.run(ask(directory))


def _before_any_result(spec: StudySpec) -> int:
    """Return how many trials are the same whatever results come: of a strategy, those of its first round."""
    schedule = schedule_of(spec.search.sampler.parsed_options())
    return spec.max_trials if schedule is None else schedule.rows[0][0].trials


def _readable(name: str, spec: StudySpec, places: Places) -> tuple[StudySpec, Sequence[str]]:
    """Return a spec without what lies in other studies where these can't be read here, and why, as sentences."""
    tables = [each for each in spec.search.warm_start if each.csv is not None]
    if len(tables) == len(spec.search.warm_start):
        return spec, ()
    by_itself = spec.model_copy(update={"search": spec.search.model_copy(update={"warm_start": tables})})
    without = "the suggestions shown are made without those studies"
    if not places.database.exists():
        return by_itself, ("other studies are read when this one starts; there are none here", without)
    database = Database(places.storage_url)
    try:
        read_warm_start(database, _new_key(name), "", spec)
    except TuningError as error:
        return by_itself, (f"a run on this machine can't read it: {error}", without)
    finally:
        database.close()
    return spec, ()


def _new_key(name: str) -> StudyKey:
    return StudyKey(NAMESPACE, name, str(uuid.uuid4()))
