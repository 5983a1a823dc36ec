"""What the reading commands need of a study, wherever it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tuning_contract.environment import ParameterValue
from tuning_operator.api.parameters import ParameterType
from tuning_operator.api.status import StudyStatus
from tuning_operator.api.study import Direction, StudySpec
from tuning_operator.cli.ranking import NO_AIMS, Aims
from tuning_operator.errors import InvalidStudy


@dataclass(frozen=True)
class StudyFacts:
    """What a table of a study's trials needs to know of it; no metric: the spec can't be read."""

    name: str
    metric: str
    direction: Direction
    parameters: Sequence[str] | None
    """Names of what is searched; fixed parameters are the same in all trials. None: the trials' code names them."""
    max_trials: int
    parallelism: int = 1
    place: str = ""
    """Its namespace, or where on this machine its history is."""
    aims: Aims = NO_AIMS


@dataclass(frozen=True)
class BestFound:
    """The best complete trial, and where its log is."""

    number: int
    value: float
    parameters: Mapping[str, ParameterValue]
    job: str
    log: str
    """A file, or the command that prints the log; of several runs, that of the first."""
    values: Mapping[str, float] = field(default_factory=dict)
    """The objectives by metric, and metrics that have a constraint."""
    infeasible: str = ""
    """Which constraints it does not keep; empty: it keeps all."""
    std: float | None = None
    """Standard deviation of the first objective over its runs, of several."""


@dataclass(frozen=True)
class FrontFound:
    """The trials that no other one is better than in all of several objectives."""

    size: int
    trials: Sequence[BestFound]
    """All of them, or those that are farthest from one another."""


class StudyReader(Protocol):
    """A study that can be looked at, while it runs and afterwards."""

    def facts(self) -> StudyFacts:
        """Return what the study is.

        Raises
        ------
        InvalidStudy
            Its spec is wrong.
        """

    def status(self) -> StudyStatus:
        """Return the status as it is now; raises as `trials` does."""

    def trials(self) -> Sequence[Mapping[str, Any]]:
        """Return the documents of all trials, by number (`reports.trial_document`).

        Raises
        ------
        NotFound
            There is no such study, or it has not been started.
        Unavailable, Forbidden
            It can't be read now, or not by this person.
        """

    def best(self) -> BestFound | None:
        """Return the best complete trial, None while there is none, and with several objectives; raises as `trials`."""

    def front(self) -> FrontFound:
        """Return the front of several objectives; raises as `trials` does."""


def readable_facts(reader: StudyReader, name: str) -> StudyFacts:
    """Return what a study is, and little of one whose spec is wrong."""
    try:
        return reader.facts()
    except InvalidStudy:
        return StudyFacts(name, metric="", direction=Direction.MAXIMIZE, parameters=(), max_trials=0)


def facts_of(name: str, spec: StudySpec, place: str = "") -> StudyFacts:
    """Return what a spec says of a study."""
    tuned = [parameter.name for parameter in spec.parameters if parameter.type is not ParameterType.FIXED]
    searched = None if spec.define_by_run else tuned
    metric, direction = spec.objective.metric, spec.objective.direction
    aims = Aims(spec.objectives, spec.metric_constraints)
    return StudyFacts(name, metric, direction, searched, spec.max_trials, spec.parallelism, place, aims)
