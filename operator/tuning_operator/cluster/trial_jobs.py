"""Trial Jobs on a cluster."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from typing import Any

from tuning_operator.cluster import paths
from tuning_operator.cluster.answers import RequestRefused
from tuning_operator.cluster.client import ClusterClient
from tuning_operator.cluster.job_cache import JobCache
from tuning_operator.cluster.job_view import SeenJob, UnreadableJob, fingerprint_in, read_job
from tuning_operator.decisions.seen_jobs import TrialJob
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import ClusterUnavailable, Forbidden, JobRefused, NotFound, TuningError
from tuning_operator.ports import Manifest


class ClusterTrialJobs:
    """Implements `TrialJobs`: requests go to the API server, reads come from the cache that `JobWatch` fills."""

    def __init__(self, client: ClusterClient, cache: JobCache) -> None:
        self._client = client
        self._cache = cache

    def observed(self, study: StudyKey) -> Collection[TrialJob]:
        """Return the study's Jobs as last seen."""
        return self._cache.observed(study)

    def vanished(self, study: StudyKey) -> frozenset[tuple[int, int]]:
        """Return (trial, attempt) of Jobs that were seen and exist no more."""
        return self._cache.vanished(study)

    async def create(self, study: StudyKey, manifest: Manifest) -> None:
        """Create a Job with one POST. The name is the attempt's own, so 409 says that an earlier POST succeeded.

        A Job of the name that trains other parameters is observed then, for whoever decides what becomes of it.
        """
        path = paths.jobs(study.namespace)
        try:
            created = await self._client.request("POST", path, manifest, repeatable=True)
        except RequestRefused as refused:
            if refused.code != 409:
                raise JobRefused(str(refused)) from refused
            created = await self._existing(study, manifest)
        except (Forbidden, NotFound) as refused:
            raise _refused(refused) from refused
        self._cache.put_created(created)

    async def delete(self, study: StudyKey, name: str) -> None:
        """Delete a Job and, in the background, its pods: the default of batch/v1 would leave the pods running."""
        seen = self._cache.find(study, name) or await self._find(study, name)
        if seen is None or seen.study_uid != study.uid:
            return
        options = {"propagationPolicy": "Background", "preconditions": {"uid": seen.uid}}
        try:
            await self._client.request("DELETE", f"{paths.jobs(study.namespace)}/{name}", options)
        except NotFound:
            self._cache.remove({"metadata": {"uid": seen.uid}})
            return
        except RequestRefused as refused:
            if refused.code != 409:
                raise
            self._cache.remove({"metadata": {"uid": seen.uid}})
            return  # another Job has the name by now
        self._cache.mark_deleting(study, name)

    async def check(self, study: StudyKey, manifest: Manifest) -> Sequence[str]:
        """Let the API server validate and admit a Job without storing it; return its warnings."""
        # The trial's own name may exist already, which would answer 409 before anything is checked.
        metadata = {**manifest["metadata"], "name": f"check-{study.name}-{secrets.token_hex(4)}"}
        params = {"dryRun": "All", "fieldValidation": "Strict"}
        body = {**manifest, "metadata": metadata}
        try:
            answer = await self._client.send("POST", paths.jobs(study.namespace), body, params=params, repeatable=True)
        except RequestRefused as refused:
            raise JobRefused(str(refused)) from refused
        except (Forbidden, NotFound) as refused:
            raise _refused(refused) from refused
        return answer.warnings

    async def _existing(self, study: StudyKey, manifest: Manifest) -> dict[str, Any]:
        """Return the Job that has the name, if it is this trial's."""
        name = manifest["metadata"]["name"]
        try:
            document = await self._client.request("GET", f"{paths.jobs(study.namespace)}/{name}")
            seen = read_job(document)
        except NotFound as gone:
            raise ClusterUnavailable(f"the Job {name} was deleted just now; it is created again") from gone
        except UnreadableJob as problem:
            raise JobRefused(f"the name {name} is taken by a Job that is not this study's: {problem}") from problem
        if seen.study_uid != study.uid:
            raise JobRefused(f"the name {name} is taken by a Job of another study")
        if seen.job.fingerprint not in ("", fingerprint_in(manifest["metadata"].get("annotations") or {})):
            self._cache.put(document)
            raise ClusterUnavailable(
                f"the Job {name} trains other parameters than the storage has for its trial: was the storage lost or "
                "restored? The Job is deleted, and the trial gets another attempt"
            )
        if seen.job.deleting:
            raise ClusterUnavailable(f"an earlier Job {name} is still being deleted")
        return document

    async def _find(self, study: StudyKey, name: str) -> SeenJob | None:
        try:
            return read_job(await self._client.request("GET", f"{paths.jobs(study.namespace)}/{name}"))
        except (NotFound, UnreadableJob):
            return None


_NO_ROOM = ("exceeded quota", "status unknown for quota")
"""What a 403 says when a namespace's quota has no room now, or when a new one has not been counted yet."""


def _refused(refusal: TuningError) -> TuningError:
    """Say what a 403 or 404 means: a quota has room again later, the rest waits for a person."""
    if any(words in str(refusal) for words in _NO_ROOM):
        return ClusterUnavailable(f"the namespace's quota has no room for a Job now: {refusal}")
    return JobRefused(str(refusal))
