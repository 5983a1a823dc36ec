"""A log of a trial on a cluster: that of the pod of a run of its newest attempt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from tuning_operator.api.status import read_status
from tuning_operator.api.trial_template import trainer_container
from tuning_operator.cli.study_object import name_of, require_trial
from tuning_operator.cluster.client import ClusterClient
from tuning_operator.cluster.trial_pods import TrialPod, TrialPods
from tuning_operator.errors import NotFound

SECONDS = 1.0
"""Between two looks for a pod that is still to start."""


async def copy_cluster_log(
    client: ClusterClient,
    study: Mapping[str, Any],
    trial: int,
    run: int,
    write: Callable[[bytes], None],
    *,
    follow: bool,
) -> None:
    """Write the log of a trial's run; with `follow` wait for its pod, and write until the container ends.

    Raises
    ------
    NotFound
        The run has no pod with a log now; the sentence says why.
    """
    pods = TrialPods(client)
    pod = await _started_pod(pods, study, trial, run, follow)
    async with pods.log(pod, _container(study), follow=follow) as chunks:
        async for chunk in chunks:
            write(chunk)


async def _started_pod(pods: TrialPods, study: Mapping[str, Any], trial: int, run: int, follow: bool) -> TrialPod:
    metadata, status = study["metadata"], read_status(study.get("status"))
    require_trial(name_of(study), trial, status.trials.total)
    ended = next((each for each in status.recent if each.number == trial), None)
    while True:
        pod = await pods.newest(metadata["namespace"], metadata["uid"], trial, run)
        if pod is not None and not pod.waits_for:
            return pod
        if pod is not None and not follow:
            raise NotFound(f"the pod {pod.name} of trial {trial} does not run yet ({pod.waits_for}); -f waits for it")
        if pod is None and (ended is not None or not follow):
            raise NotFound(f"{_named(trial, run)} has no pod: {_why_no_pod(study, ended is not None)}")
        await asyncio.sleep(SECONDS)


def _named(trial: int, run: int) -> str:
    return f"run {run} of trial {trial}" if run else f"trial {trial}"


def _why_no_pod(study: Mapping[str, Any], ended: bool) -> str:
    ttl = ((study.get("spec") or {}).get("trial") or {}).get("ttlAfterFinished", "1h")
    gone = f"a Job that ended stays for {ttl} with its log, see trial.ttlAfterFinished"
    return gone if ended else f"it waits for one (-f waits too), or it has ended, and {gone}"


def _container(study: Mapping[str, Any]) -> str | None:
    try:
        return str(trainer_container(study["spec"]["trial"]["template"])["name"])
    except (KeyError, TypeError, ValueError):
        return None
