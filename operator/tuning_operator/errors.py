"""The exception tree. It knows no library: adapters convert what their library raises and chain it.

TuningError
├── InvalidStudy            the user's study is wrong; `problems` are sentences that name field and way out
├── JobRefused              the API server (or the local machine) refuses a trial's Job as things are
├── StudyGone               the study was deleted while it was worked on
├── Unavailable             a service is away for now; retrying helps
│   ├── ClusterUnavailable  the Kubernetes API server
│   ├── StorageUnavailable  the database
│   └── SearchUnavailable   the process that asks slow samplers
├── SearchFailed            a sampler raises what it should not; asking it again may not help
├── StorageDamaged          the database answers, but its content is not what this version can use
├── StorageMismatch         the database is another one than a study's trials are in
├── NotFound                a study or trial that somebody asked for does not exist
├── TooManySteps            a trial reports more steps than are kept of it
├── ParameterRefused        a trial's code names a parameter that it can't have
├── Forbidden               the caller may not do this
├── LeaseLost               another operator is active; this process must end
├── InvalidSetting          in `settings`: the operator's environment is wrong
├── AlreadyRunning          in `local.places`: another process runs the same study
└── RequestRefused          in `cluster.answers`: the API server refuses a request for another reason
"""

from __future__ import annotations

from collections.abc import Sequence


class TuningError(Exception):
    """Anything that this project raises on purpose; `str()` is a sentence for people."""


class InvalidStudy(TuningError):
    """The study can't be run as written."""

    def __init__(self, problems: Sequence[str], reason: str = "InvalidSpec") -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)
        self.reason = reason
        """A CamelCase word for the status."""


class JobRefused(TuningError):
    """A trial's Job is not accepted as things are; it is tried again now and then."""


class StudyGone(TuningError):
    """The study no longer exists."""


class Unavailable(TuningError):
    """A service does not answer for now."""


class ClusterUnavailable(Unavailable):
    """The Kubernetes API server does not answer, or is too busy."""


class StorageUnavailable(Unavailable):
    """The database does not answer, or is locked by somebody else."""


class SearchUnavailable(Unavailable):
    """The process that asks samplers died."""


class SearchFailed(TuningError):
    """A sampler, or the library that it is from, has a defect; the message names both."""


class StorageDamaged(TuningError):
    """The database's content can't be read."""


class StorageMismatch(TuningError):
    """The study has trials, and they are in another database."""


class NotFound(TuningError):
    """There is no such study or trial."""


class TooManySteps(TuningError):
    """A trial reports more steps than are kept of it; nothing of the batch was stored."""


class ParameterRefused(TuningError):
    """A trial's code names a parameter that it can't have."""


class Forbidden(TuningError):
    """The caller's credential does not allow this."""


class LeaseLost(TuningError):
    """Another operator holds the Lease, or it could not be renewed in time."""
