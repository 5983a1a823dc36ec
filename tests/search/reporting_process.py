"""A process that reports until it is killed, and prints each trial and step that was acknowledged."""

from __future__ import annotations

import asyncio
import itertools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.search.studies import KEY, batch, study_spec
from tuning_operator.search import StudyRepositories
from tuning_operator.search.repository import StudyRepository

TRIALS = 8


async def main(url: str) -> None:
    """Report of several trials at once, for ever."""
    study = await StudyRepositories(url).open(KEY, study_spec())
    await study.ask(TRIALS)
    await asyncio.gather(*(_report(study, number) for number in range(TRIALS)))


async def _report(study: StudyRepository, number: int) -> None:
    for step in itertools.count(1):
        await study.report(number, 1, batch((step, 0.5)))
        print(number, step, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
