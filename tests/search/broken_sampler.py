"""A sampler with a defect."""

from __future__ import annotations

from typing import Any

import pytest
from optuna.samplers import BaseSampler, RandomSampler

from tuning_operator.search import asking


class BrokenSampler(RandomSampler):
    """Fails from a trial on, until it is mended."""

    def __init__(self, first: int) -> None:
        super().__init__(seed=1)
        self.first = first

    def before_trial(self, study: Any, trial: Any) -> None:
        """Fail where it is time."""
        if trial.number >= self.first:
            raise ZeroDivisionError("division\nby zero")


def break_samplers(monkeypatch: pytest.MonkeyPatch, first: int) -> BrokenSampler:
    """Let the samplers of all studies fail from a trial on."""
    sampler = BrokenSampler(first)

    def make_sampler(*_: object) -> BaseSampler:
        return sampler

    monkeypatch.setattr(asking, "make_sampler", make_sampler)
    return sampler
