"""How far ahead of need trials are prepared, and what they may know of the results that come in meanwhile.

What is prepared ahead can't know the results that come afterwards. So that a suggestion does not depend on how fast the
machine was, each result comes into sight at a trial that follows from the order of asks and tells alone, which the
storage keeps: a restart changes nothing, and what is prepared is never out of date.
"""

from __future__ import annotations

from optuna.trial import FrozenTrial

from tuning_operator.api.samplers import SamplerName
from tuning_operator.api.study import StudySpec
from tuning_operator.search.attributes import told_after

SLOW_FROM = {SamplerName.TPE: 500, SamplerName.GP: 200}
"""Samplers that take longer to ask than a Job takes to create, and from how many trials on. The others, and those of
fewer trials, are asked when a trial is needed: then no result is missed. GP takes a tenth of a second long before, but
is there for trials of which each result counts, and which take minutes."""
_SHARE = 5
"""One trial is prepared for so many that run at once: as if a fifth more ran, which costs hardly any quality."""
_MOST_AHEAD = 20
"""Enough for all that end within a moment; more would only know less."""


def ahead_of(spec: StudySpec, warm: int, asked: int) -> int:
    """Return how many trials of a study are prepared before they are asked for, once so many were asked for.

    `warm` results of others take as long to model as the study's own.
    None in a study that runs one trial after the other: each would know one result less. None in a deterministic one:
    which results a trial may know is decided when it is needed. None where code names parameters while trials run.
    """
    slow_from = SLOW_FROM.get(spec.search.sampler.name)
    if spec.search.deterministic or spec.define_by_run or slow_from is None or warm + asked < slow_from:
        return 0
    return min(_MOST_AHEAD, spec.parallelism // _SHARE)


def first_to_see(trial: FrozenTrial, spec: StudySpec, warm: int) -> int:
    """Return the number of the first trial that is suggested with the knowledge of a finished trial's result.

    In a deterministic study it follows from the trial's own number, whenever it ended; `decisions/parallelism.py` lets
    no trial be asked for before it may know all that it should.
    """
    if spec.search.deterministic:
        return trial.number + spec.parallelism
    told = told_after(trial.user_attrs)
    return told + ahead_of(spec, warm, told)
