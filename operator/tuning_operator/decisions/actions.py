"""What a plan is made of: values, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tuning_operator.decisions.history import ActiveTime
from tuning_operator.decisions.trials import NOTHING_SAID, EarlierAttempts, EndState, LastWords, OpenTrial, PodTime


@dataclass(frozen=True)
class Outcome:
    """How a trial ended, to be told to the storage."""

    number: int
    state: EndState
    value: float | None
    """The first objective."""
    reason: str
    """A CamelCase word; of a failed trial a `FailureClass`."""
    message: str
    running_seconds: float
    """With a running pod, over all attempts."""
    attempt_seconds: float = 0.0
    """With a running pod, in the newest attempt."""
    queued_seconds: float | None = None
    """From its Job's creation to its running pod, in the newest attempt; None: that was not seen."""
    after: LastWords = NOTHING_SAID
    """What was said of the trial, as far as it was known when this was decided."""
    further: Mapping[str, float] = field(default_factory=dict)
    """The other objectives by metric, and other metrics that have a constraint."""


@dataclass(frozen=True)
class NewAttempt:
    """A trial starts over with another attempt; stored before the old attempt's Job is deleted."""

    number: int
    attempt: int
    reason: str
    """A CamelCase word: a `FailureClass`, or what else ended the attempt before."""
    earlier: EarlierAttempts
    """The attempts before this one."""
    attempt_seconds: float = 0.0
    """With a running pod, in the attempt before."""
    after: LastWords = NOTHING_SAID
    """What was said of the attempt before, as far as it was known when this was decided."""


@dataclass(frozen=True)
class KeptPodTime:
    """What is to be stored of an attempt's pods."""

    number: int
    attempt: int
    time: PodTime


@dataclass(frozen=True)
class Deletion:
    """A Job to delete."""

    job: str
    trial: int
    reason: str
    event: str = ""
    """Reason of the Event that tells of it; empty: none does."""


@dataclass(frozen=True)
class Launch:
    """A Job to create, for an attempt that is stored."""

    trial: OpenTrial
    reason: str


@dataclass(frozen=True)
class Plan:
    """Everything to do for a study now, in the order of the fields: each step may be the last one before a crash."""

    active_time: ActiveTime | None = None
    """The study's clock, when it starts or stops."""
    pod_times: tuple[KeptPodTime, ...] = ()
    """Of trials that go on, when a queue let a pod run or took it."""
    outcomes: tuple[Outcome, ...] = ()
    new_attempts: tuple[NewAttempt, ...] = ()
    deletions: tuple[Deletion, ...] = ()
    launches: tuple[Launch, ...] = ()
    ask: int = 0
    """Trials to ask for and launch."""
    held_back: str = ""
    """The cap, as a sentence, without which more would be asked for; empty: none."""
    requeue_at: float | None = None
    """When the study must be looked at again though nothing happens; seconds since 1970."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        actions = (self.pod_times, self.outcomes, self.new_attempts, self.deletions, self.launches)
        return not any(actions) and not self.ask and self.active_time is None
