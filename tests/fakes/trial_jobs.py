"""Jobs in memory."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from tests.fakes.clock import FakeClock
from tuning_operator.api.names import ATTEMPT_LABEL, PARAMETERS_ANNOTATION, STUDY_UID_LABEL, TRIAL_LABEL
from tuning_operator.decisions.seen_jobs import JobPhase, TrialJob
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.decisions.stray_jobs import fingerprint_of
from tuning_operator.errors import ClusterUnavailable, JobRefused
from tuning_operator.ports import Clock, Manifest


class FakeTrialJobs:
    """Implements `TrialJobs`. Jobs stay Pending until a test starts, finishes or fails them.

    `on_change` is called with the study's uid whenever something happened to one of its Jobs, as the watch does.
    """

    def __init__(self, clock: Clock | None = None, on_change: Callable[[str], None] | None = None) -> None:
        self.on_change = on_change or (lambda _uid: None)
        self.manifests: dict[str, dict[str, Any]] = {}
        """Every manifest that was created, by the Job's name, in order; deleted Jobs stay here."""
        self.deletions: list[str] = []
        """Names that `delete` was called with."""
        self.requests = 0
        """Calls of `create`, `delete` and `check`."""
        self.warnings: tuple[str, ...] = ()
        """What `check` answers."""
        self.hidden: set[str] = set()
        """Names of Jobs that the watch has not shown yet."""
        self.deletes_linger = False
        """Whether deleted Jobs stay with `deleting` until `remove`, as those with a finalizer do."""
        self.answering = asyncio.Event()
        """Clear it to let `create` wait before it does anything."""
        self.answering.set()
        self.waiting = 0
        """Calls of `create` that wait for that."""
        self._clock = clock or FakeClock()
        self._jobs: dict[tuple[str, str], tuple[str, TrialJob]] = {}
        self._vanished: dict[str, set[tuple[int, int]]] = {}
        self._errors: list[Exception] = []
        self._finished_runs: dict[str, set[int]] = {}
        """By the Job's name."""

    def observed(self, study: StudyKey) -> Collection[TrialJob]:
        """Return the study's Jobs."""
        return [job for uid, job in self._jobs.values() if uid == study.uid and job.name not in self.hidden]

    def vanished(self, study: StudyKey) -> frozenset[tuple[int, int]]:
        """Return the (trial, attempt) of Jobs that are gone."""
        return frozenset(self._vanished.get(study.uid, ()))

    async def create(self, study: StudyKey, manifest: Manifest) -> None:
        """Create a Job that is Pending."""
        self.waiting += 1
        await self.answering.wait()
        self.waiting -= 1
        self._request()
        name = manifest["metadata"]["name"]
        existing = self._jobs.get((study.namespace, name))
        if existing is not None:
            if existing[0] != study.uid:
                raise JobRefused(f"the name {name} is taken by a Job that is not this study's")
            self.hidden.discard(name)
            if existing[1].fingerprint not in ("", _fingerprint(manifest)):
                raise ClusterUnavailable(f"the Job {name} trains other parameters")
            return
        labels = manifest["metadata"]["labels"]
        if labels[STUDY_UID_LABEL] != study.uid:
            raise JobRefused(f"the Job {name} is labelled with another study's uid")
        numbers = int(labels[TRIAL_LABEL]), int(labels[ATTEMPT_LABEL])
        job = TrialJob(name, *numbers, JobPhase.PENDING, self._clock.now(), _fingerprint(manifest))
        self.manifests[name] = copy.deepcopy(dict(manifest))
        self._vanished.get(study.uid, set()).discard((job.trial, job.attempt))
        self._put(study.namespace, study.uid, job)

    async def delete(self, study: StudyKey, name: str) -> None:
        """Delete a Job at once, or mark it as deleting."""
        self._request()
        self.deletions.append(name)
        uid, job = self._jobs.get((study.namespace, name), ("", None))
        if job is None or uid != study.uid:
            return
        if self.deletes_linger:
            self._put(study.namespace, uid, replace(job, deleting=True))
        else:
            self.remove(name)

    async def check(self, study: StudyKey, manifest: Manifest) -> Sequence[str]:
        """Accept any Job, unless `fail_next` says otherwise."""
        self._request()
        return self.warnings

    def job(self, name: str) -> TrialJob:
        """Return a Job by its name."""
        return self._find(name)[2]

    def start(self, *names: str) -> None:
        """Let the Jobs' pods run."""
        for name in names:
            self._change(name, phase=JobPhase.RUNNING, running_at=self._clock.now())

    def hold_back(self, name: str) -> None:
        """Let a queue suspend a Job: its pod goes, and the Job gets none before `release`."""
        job = self.job(name)
        now = self._clock.now()
        pods = job.earlier_pods if job.running_at is None else (*job.earlier_pods, (job.running_at, now))
        self._change(name, phase=JobPhase.SUSPENDED, running_at=None, held_since=now, earlier_pods=pods)

    def release(self, name: str) -> None:
        """Let a queue let a Job go."""
        self._change(name, phase=JobPhase.PENDING, released_at=self._clock.now(), held_since=None)

    def stall(self, name: str, message: str) -> None:
        """Let a pending Job's pod have a reason for which it does not start."""
        self._change(name, message=message)

    def finish(self, *names: str) -> None:
        """Let the Jobs' containers exit with 0."""
        for name in names:
            now = self._clock.now()
            running_at = self.job(name).running_at
            self._change(
                name,
                phase=JobPhase.COMPLETE,
                running_at=now if running_at is None else running_at,
                ended_at=now,
                exit_code=0,
            )

    def finish_run(self, name: str, run: int) -> None:
        """Let the container of one run of a Job exit with 0."""
        runs = self._finished_runs.setdefault(name, set())
        runs.add(run)
        if len(runs) == self.manifests[name]["spec"].get("completions", 1):
            self.finish(name)

    def fail(self, name: str, exit_code: int | None = 1, message: str | None = None, cause: str = "") -> None:
        """Let a Job fail; without an exit code it was not the container's doing. `cause` is what its pod says."""
        words = message if message is not None else f"Container trainer failed with exit code {exit_code}"
        self._change(
            name, phase=JobPhase.FAILED, ended_at=self._clock.now(), exit_code=exit_code, message=words, cause=cause
        )

    def disrupt(self, name: str, cause: str = "PreemptionByScheduler") -> None:
        """Let a Job's pod be disrupted, and the Job fail with it."""
        message = "Pod has condition DisruptionTarget matching FailJob rule at index 0"
        self.fail(name, None, message, cause)
        self._change(name, disrupted=True)

    def remove(self, *names: str) -> None:
        """Let Jobs be gone: deleted by a person, by their TTL, or at the end of a lingering deletion."""
        for name in names:
            namespace, uid, job = self._find(name)
            del self._jobs[namespace, name]
            self._vanished.setdefault(uid, set()).add((job.trial, job.attempt))
            self.on_change(uid)

    def fail_next(self, *errors: Exception) -> None:
        """Let the next calls of `create`, `delete` or `check` raise these, one each, without doing anything."""
        self._errors.extend(errors)

    def forget(self) -> None:
        """Forget what vanished, and which pods a queue took, as a process that starts anew has."""
        self._vanished.clear()
        for place, (uid, job) in self._jobs.items():
            self._jobs[place] = uid, replace(job, earlier_pods=())

    def _request(self) -> None:
        self.requests += 1
        if self._errors:
            raise self._errors.pop(0)

    def _find(self, name: str) -> tuple[str, str, TrialJob]:
        for (namespace, found), (uid, job) in self._jobs.items():
            if found == name:
                return namespace, uid, job
        raise KeyError(f"there is no Job {name}; there are {[job.name for _, job in self._jobs.values()]}")

    def _change(self, name: str, **fields: Any) -> None:
        namespace, uid, job = self._find(name)
        self._put(namespace, uid, replace(job, **fields))

    def _put(self, namespace: str, uid: str, job: TrialJob) -> None:
        self._jobs[namespace, job.name] = (uid, job)
        self.on_change(uid)


def _fingerprint(manifest: Manifest) -> str:
    text = (manifest["metadata"].get("annotations") or {}).get(PARAMETERS_ANNOTATION)
    return "" if text is None else fingerprint_of(json.loads(text))
