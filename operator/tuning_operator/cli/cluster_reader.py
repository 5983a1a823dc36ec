"""A study on a cluster: its object from the API server, its trials from the operator's read API.

The read API is reached through the API server's Service proxy, so that nobody needs a port forward or the database;
what opens a study's trials there is the token in its status.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tuning_operator.api.status import BestTrial, FrontTrial, StudyStatus, read_status
from tuning_operator.api.study import TuningStudy
from tuning_operator.api.validation import parse_study
from tuning_operator.cli.cluster_study import ClusterStudy
from tuning_operator.cli.study_reader import BestFound, FrontFound, StudyFacts, facts_of
from tuning_operator.cluster import paths
from tuning_operator.cluster.client import ClusterClient
from tuning_operator.cluster.study_client import StudyClient
from tuning_operator.errors import Forbidden, NotFound, TuningError, Unavailable
from tuning_operator.reports.read_api import MOST_TRIALS, TOKEN_HEADER
from tuning_operator.settings import InvalidSetting

PORT = "reports"
"""Name of the Service's port behind which the read API is."""
SERVICE_LABELS = "app.kubernetes.io/name=tuning-operator,app.kubernetes.io/component=reports"
"""What the chart gives the Service."""
DEFAULT_SERVICE = "tuning-operator/tuning-operator"
"""Where the Service is looked for by those who may not list Services."""


class ClusterReader:
    """Implements `StudyReader`.

    `service` is the operator's Service as NAMESPACE/NAME, or NAMESPACE/https:NAME where it has a certificate (None: the
    one with the chart's labels).
    """

    def __init__(self, study: ClusterStudy, service: str | None) -> None:
        self._object = study
        self._service = service
        self._document: dict[str, Any] | None = None

    def facts(self) -> StudyFacts:
        """Return what the study's object says."""
        study = self._object.with_client(self._get)
        return facts_of(study.metadata.name, study.spec, f"namespace {study.metadata.namespace}")

    def status(self) -> StudyStatus:
        """Return the status that the object has now, however wrong its spec is."""
        self._document = self._object.with_client(self._object.get)
        return read_status(self._document.get("status"))

    def best(self) -> BestFound | None:
        """Return the best trial that the status shows."""
        study = self._object.with_client(self._get)
        best = read_status(study.status).best
        return None if best is None else replace(_found(study, best, best.value), std=best.std)

    def front(self) -> FrontFound:
        """Return the trials on the front that the status lists."""
        study = self._object.with_client(self._get)
        status = read_status(study.status)
        first = study.spec.objective.metric
        trials = [_found(study, trial, trial.values.get(first, math.nan)) for trial in status.front]
        return FrontFound(status.front_size or 0, trials)

    def trials(self) -> Sequence[Mapping[str, Any]]:
        """Return all trials, page by page."""
        return self._object.with_client(self._trials)

    async def _trials(self, client: ClusterClient) -> Sequence[Mapping[str, Any]]:
        study = await self._get(client)
        status = read_status(study.status)
        self._require_token(study, status)
        service = self._service or await self._find_service(client)
        namespace, _, name = service.partition("/")
        path = f"v1/studies/{study.metadata.namespace}/{study.metadata.name}/trials"
        headers, studies = {TOKEN_HEADER: status.read_token}, StudyClient(client)
        trials: list[Mapping[str, Any]] = []
        after: int | None = -1
        while after is not None:
            params = {"after": str(after), "limit": str(MOST_TRIALS)}
            try:
                page = await studies.ask_service(namespace, name, PORT, path, params=params, headers=headers)
            except TuningError as error:
                raise _explained(error, service) from error
            trials.extend(page.get("trials", ()))
            after = page.get("next")
        return trials

    async def _find_service(self, client: ClusterClient) -> str:
        try:
            path = paths.collection(paths.CORE, "services")
            found = await client.request("GET", path, params={"labelSelector": SERVICE_LABELS})
        except Forbidden:
            return DEFAULT_SERVICE
        names = [_proxied(each) for each in found.get("items", ())]
        if len(names) > 1:
            raise NotFound(f"there are several operators ({', '.join(names)}); name one with --operator-service")
        return names[0] if names else DEFAULT_SERVICE

    async def _get(self, client: ClusterClient) -> TuningStudy:
        if self._document is None:
            self._document = await self._object.get(client)
        return parse_study(self._document)

    def _require_token(self, study: TuningStudy, status: StudyStatus) -> None:
        if not status.read_token:
            raise Unavailable(
                f"the operator has not looked at the study {study.metadata.namespace}/{study.metadata.name} yet "
                "(its status is empty); is it running?"
            )


def _proxied(service: Mapping[str, Any]) -> str:
    """Return NAMESPACE/NAME as the API server's proxy takes it: the scheme comes before the name unless it is http."""
    metadata, ports = service["metadata"], (service.get("spec") or {}).get("ports") or ()
    encrypted = any(port.get("name") == PORT and port.get("appProtocol") == "https" for port in ports)
    return f"{metadata['namespace']}/{'https:' if encrypted else ''}{metadata['name']}"


def _found(study: TuningStudy, trial: BestTrial | FrontTrial, value: float) -> BestFound:
    log = f"kubectl logs -n {study.metadata.namespace} job/{trial.job}"
    return BestFound(trial.number, value, dict(trial.parameters), trial.job, log, dict(trial.values), trial.infeasible)


def _explained(error: TuningError, service: str) -> TuningError:
    """Return what a refusal of the proxy means for somebody who wants to see trials."""
    if isinstance(error, NotFound):
        return NotFound(
            f"there is no Service {service} of the operator; name it with --operator-service NAMESPACE/NAME "
            "or the variable TUNING_SERVICE"
        )
    if isinstance(error, Forbidden):
        return Forbidden(
            f"the trials can't be read through the Service {service}: {error}. The chart's role `…-viewer` allows it; "
            "`tuning best` needs no more than the study itself"
        )
    if isinstance(error, Unavailable):
        return Unavailable(f"the operator does not answer through its Service {service}: {error}")
    return error


def checked_service(service: str) -> str:
    """Return a Service's NAMESPACE/NAME.

    Raises
    ------
    InvalidSetting
        It is not written so.
    """
    namespace, slash, name = service.partition("/")
    if not (namespace and slash and name) or "/" in name:
        raise InvalidSetting(f"the operator's Service is given as {service!r}; write NAMESPACE/NAME")
    return service
