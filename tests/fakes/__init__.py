"""Fakes of the engine's ports, kept honest by the conformance suites that also run on the real thing.

Here is no assertion and no mock: a fake behaves as its port says, and has verbs with which a test plays the world.
"""

from tests.fakes.announcements import FakeEventRecorder, RecordedEvent
from tests.fakes.clock import FakeClock
from tests.fakes.study_status import FakeStudyStatusWriter
from tests.fakes.trial_jobs import FakeTrialJobs
from tests.fakes.trial_logs import FakeTrialLogs
from tests.fakes.trial_repository import FakeTrialRepositories, FakeTrialRepository

__all__ = [
    "FakeClock",
    "FakeEventRecorder",
    "FakeStudyStatusWriter",
    "FakeTrialJobs",
    "FakeTrialLogs",
    "FakeTrialRepositories",
    "FakeTrialRepository",
    "RecordedEvent",
]
