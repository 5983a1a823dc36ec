"""What the engine needs of the world, as Protocols.

The cluster, the local machine and the tests' fakes implement them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from tuning_contract import ReportBatch, ReportReply
from tuning_contract.environment import ParameterValue
from tuning_operator.api.named_parameters import NamedParameter
from tuning_operator.api.status import StudyStatus
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.actions import KeptPodTime as KeptPodTime
from tuning_operator.decisions.actions import NewAttempt as NewAttempt
from tuning_operator.decisions.actions import Outcome as Outcome
from tuning_operator.decisions.failure import Failure
from tuning_operator.decisions.history import ActiveTime, History
from tuning_operator.decisions.hold_ups import HoldUp as HoldUp
from tuning_operator.decisions.report_access import ReportAccess
from tuning_operator.decisions.seen_jobs import TrialJob
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.decisions.trials import FinishedTrial, OpenTrial

Manifest = Mapping[str, Any]
"""A batch/v1 Job as a JSON document."""


class Clock(Protocol):
    """The time."""

    def now(self) -> float:
        """Return seconds since 1970."""


class TrialJobs(Protocol):
    """Where trials run. What `observed` returns may lag behind, but always catches up."""

    def observed(self, study: StudyKey) -> Collection[TrialJob]:
        """Return the study's Jobs as last seen, in any order, from memory."""

    def vanished(self, study: StudyKey) -> frozenset[tuple[int, int]]:
        """Return (trial, attempt) of Jobs that were seen by this process and exist no more."""

    async def create(self, study: StudyKey, manifest: Manifest) -> None:
        """Create a Job. Creating the same again is a success, so that a step can be repeated after a crash.

        When it returns, `observed` contains the Job.

        Raises
        ------
        JobRefused
            The Job is not acceptable, or its name is taken by somebody else's Job.
        Unavailable
            Try again later.
        """

    async def delete(self, study: StudyKey, name: str) -> None:
        """Delete a Job and its pods; one that does not exist is a success. When it returns, `observed` shows it
        as deleting or not at all."""

    async def check(self, study: StudyKey, manifest: Manifest) -> Sequence[str]:
        """Try a Job without creating it; return warnings. Raises as `create` does."""


class TrialLogs(Protocol):
    """Where trials' logs are read, for studies whose metrics come from there."""

    def follow(self, study: StudyKey, spec: StudySpec, jobs: Collection[TrialJob], trials: TrialRepository) -> None:
        """Have these Jobs' logs read while they are written, and what they say reported to `trials`.

        Called at each step of a study with all that are to be read; others are left.
        """

    def read(self, study: StudyKey) -> Mapping[tuple[int, int], Failure | None]:
        """Return (trial, attempt) whose log was read -> why not to its end; None: it was. From memory."""

    def forget(self, study: StudyKey) -> None:
        """Read nothing more of a study."""

    def halt(self) -> None:
        """Read nothing more at all; what is in hand may end anywhere, as in a crash."""

    async def close(self) -> None:
        """Halt, and return when nothing runs any more."""


class StudyStatusWriter(Protocol):
    """Where a study's status is shown."""

    async def write(self, study: StudyKey, status: Mapping[str, Any]) -> None:
        """Replace the status.

        Raises
        ------
        StudyGone
            The study (this uid) does not exist any more.
        Unavailable
            Try again later.
        """


class Addresses(Protocol):
    """Where an attempt reports to, and with which credential."""

    def report_access(self, study: StudyKey, trial: int, attempt: int) -> ReportAccess:
        """Return how the attempt's pod reports."""

    def read_token(self, study: StudyKey) -> str:
        """Return the credential that opens the study's trials at the read API."""


@dataclass(frozen=True)
class TokenIssuer:
    """Who signs the tokens by which pods prove what they are."""

    name: str
    """The `iss` of its tokens."""
    keys: Mapping[str, Any]
    """Its public keys, as a JSON Web Key Set (RFC 7517)."""


class StudyMetrics(Protocol):
    """What is counted and timed of a study; recording never raises."""

    def study_shown(self, study: StudyKey, status: StudyStatus) -> None:
        """Take the counts and the best value of a status."""

    def trials_held_up(self, study: StudyKey, counts: Mapping[HoldUp, int]) -> None:
        """Show how many trials are not running for which reason."""

    def trial_ended(self, study: StudyKey, spec: StudySpec, outcome: Outcome, typical_seconds: float) -> None:
        """Count a trial's end and the GPU time that it held; complete trials take `typical_seconds` so far."""

    def attempt_replaced(self, study: StudyKey, spec: StudySpec, new: NewAttempt) -> None:
        """Count an attempt that another one follows, and the GPU time that it held."""

    def next_job_posted(self, study: StudyKey, seconds: float) -> None:
        """Time how long a freed slot waited for its next Job."""

    def first_job_posted(self, study: StudyKey, seconds: float) -> None:
        """Time how long a study waited for its first Job."""

    def forget_study(self, study: StudyKey) -> None:
        """Drop the series of a deleted study."""


class EventRecorder(Protocol):
    """Where transitions are announced. Losing an Event is no harm: `record` never raises and returns at once."""

    def record(self, study: StudyKey, *, warning: bool, reason: str, message: str) -> None:
        """Announce a transition of the study."""


@dataclass(frozen=True)
class StoredReport:
    """A report as the read API shows it."""

    attempt: int
    step: int
    values: Mapping[str, float]
    time: float
    run: int = 0


@dataclass(frozen=True)
class ReportAnswer:
    """What became of a batch of reports."""

    reply: ReportReply
    """What the trial is told; it is sent after the batch is durable."""
    wake: bool
    """Whether the study should be looked at now: the trial ended, must end, or reported for the first time."""
    decision_seconds: float | None = None
    """How long the pruning decision took; None: none was due."""


NO_ATTEMPTS: Mapping[int, int] = MappingProxyType({})


class TrialRepository(Protocol):
    """The history of one study: the truth about its trials. Reads are from memory; writes are durable when they return.

    Raises `StorageUnavailable` from every write while the database is away; memory then has not changed.
    """

    key: StudyKey
    """Whose history it is."""

    @property
    def trouble(self) -> str:
        """Why the storage took no write the last time that anybody tried, as a sentence; empty: it did."""

    @property
    def search_failure(self) -> str:
        """Why the sampler failed when it was asked last, as a sentence; empty: it did not."""

    def history(self) -> History:
        """Return the trials; costs no more than the number of open ones."""

    def finished(self, number: int) -> FinishedTrial | None:
        """Return a finished trial, None for an open or unknown one."""

    def trials(self, after: int, limit: int) -> Sequence[OpenTrial | FinishedTrial]:
        """Return at most `limit` trials with numbers above `after`, in the order of their numbers."""

    def reports(self, number: int) -> Sequence[StoredReport]:
        """Return a trial's reports by attempt, run and step; reads the database, so call it off the loop."""

    async def ask(self, count: int, first_attempts: Mapping[int, int] = NO_ATTEMPTS) -> Sequence[OpenTrial]:
        """Ask for trials and store them before returning.

        Fewer (or none) come once the space is exhausted, which `history().exhausted` then says, and while a strategy
        waits for other trials, which `history().waits` says once none came; fewer, but at least one, when the sampler
        is slow. They begin with attempt 1 where `first_attempts` has no other for a number.

        Raises
        ------
        SearchFailed
            The sampler has a defect; nothing was asked for.
        StorageUnavailable, SearchUnavailable
            Try again later.
        """

    async def start_attempt(self, new: NewAttempt) -> bool:
        """Store that an attempt follows, and return whether it does; its Job may be created only after this.

        One that is its trial's first (`earlier.first`) begins anew: nothing that was reported or decided so far counts.
        A trial stays as it is where `decisions/late_words.py` says that the decision does not hold.
        """

    async def keep_active_time(self, active: ActiveTime) -> None:
        """Store the study's clock."""

    async def keep_pod_times(self, times: Sequence[KeptPodTime]) -> None:
        """Store how long attempts have had a running pod, all in one transaction; not of one that is not the newest, or
        of a trial that has ended."""

    async def tell(self, outcomes: Sequence[Outcome]) -> Set[int]:
        """Store how trials ended, with the value of all their reports.

        Returns the trials whose outcomes do not hold, as `decisions/late_words.py` says: they stay as they are. So does
        one that is finished already.
        """

    async def report(
        self, number: int, attempt: int, batch: ReportBatch, *, run: int = 0, afresh: bool = False
    ) -> ReportAnswer:
        """Store a batch of a run's reports and decide whether the trial should stop, with all its runs.

        The first value of (trial, run, attempt, step) wins, and a repeated one is acknowledged. Reports of an older
        attempt, and of a trial that has ended, are not stored and answered `stop`. What is stored counts, whatever is
        decided at the same moment.

        `afresh` says that the attempt's container began anew, in another pod: what the attempt reported before of the
        batch's first step and later ones goes, as an earlier attempt's would.

        Raises
        ------
        NotFound
            The study has no such trial, attempt or run.
        TooManySteps
            Nothing was stored, and nothing will be: the trial has reported as many steps as are kept.
        StorageUnavailable
            Nothing was stored; the sender must repeat the batch.
        """

    async def choose_parameter(self, number: int, attempt: int, parameter: NamedParameter) -> ParameterValue:
        """Return the value of a parameter that a trial's code names; it is the trial's, and stored, from then on.

        The same trial gets the same value again, whichever of its runs and attempts asks.

        Raises
        ------
        NotFound
            The study has no such trial or attempt, or it is over.
        ParameterRefused
            Trials of this study may name none, or not this one.
        StorageUnavailable, SearchUnavailable, SearchFailed
            Nothing was stored; the sender must ask again.
        """


class TrialRepositories(Protocol):
    """All studies' histories in one storage."""

    def find(self, uid: str) -> TrialRepository | None:
        """Return an open study's repository, from memory."""

    async def open(self, study: StudyKey, spec: StudySpec, resume: str = "") -> TrialRepository:
        """Load or create a study's history; opening an open one again applies the new spec.

        A study that has none yet may `resume` an earlier one's of its name: the newest (`true`) or that of a uid. It is
        its own then; trials that were open follow with a new attempt.

        Raises
        ------
        StorageUnavailable
            Try again later.
        StorageDamaged
            The history can't be read.
        SearchFailed
            The sampler has a defect.
        InvalidStudy
            The stored history has another search space, or what was to be resumed another template too.
        """

    async def close(self, uid: str) -> None:
        """Forget a study's history in memory; the storage keeps it."""

    async def secret_key(self) -> bytes:
        """Return the key that credentials are derived from; it is made at the first call and kept in the storage."""
