"""Whether trials really went on from their parents, by what their logs show."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RESUMED = re.compile(r"The training goes on from .*/(\d+)/attempt-\d+-step-(\d+)\.pt")
STEP = re.compile(r"^step (\d+): ", re.MULTILINE)


def check_lineage(trials: Sequence[Mapping[str, Any]], logs: Path) -> int:
    """Return how many trials have a parent that they were to go on from, after a look at whether they did.

    They must have resumed its newest checkpoint, and have reported the steps from there to their budget. All are
    complete, after one attempt.
    """
    lineages = {trial["number"]: trial["lineage"] for trial in trials}
    planned = {number: lineage for number, lineage in lineages.items() if lineage and lineage["budget"] is not None}
    texts = {number: _log(logs, number) for number in planned}
    steps = {number: [int(step) for step in STEP.findall(text)] for number, text in texts.items()}
    children = 0
    for number, lineage in planned.items():
        parent, done = lineage["parent"], 0
        if parent is not None:
            children += 1
            done = steps[parent][-1]
            resumed = RESUMED.search(texts[number])
            assert resumed is not None, f"trial {number} began anew"
            assert (int(resumed[1]), int(resumed[2])) == (parent, done)
        assert steps[number] == list(range(done + 1, lineage["budget"] + 1)), f"trial {number}"
    return children


def _log(logs: Path, number: int) -> str:
    (file,) = logs.glob(f"*/*-{number}-1.log")
    return file.read_text()
