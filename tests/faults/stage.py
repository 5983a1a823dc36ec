"""Everything that a fault is played on: control plane, simulated pods, proxies, operators, storage, and the checks."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from tests.chart.helm import Helm, find_helm
from tests.faults.cluster_view import STUDIES, ClusterAway, ClusterView, has_ended, name_of, read_cluster
from tests.faults.databases import StageDatabase
from tests.faults.invariants import ALWAYS, AT_REST, Snapshot, violations
from tests.faults.operators import Deployment, FaultyOperator
from tests.faults.storage_view import StorageAway, StorageReader, StorageView
from tests.faults.studies import simulated_study
from tests.faults.trainer import TrainerPlan, read_acknowledgements
from tests.support.api_client import ApiRefused
from tests.support.audit import AuditEvent
from tests.support.control_plane import ControlPlane
from tests.support.fault_proxy import FaultProxy
from tests.support.fixtures import wait_for_default_account
from tests.support.process_node import ProcessNode

CRD = Path(__file__).parents[2] / "crds" / "tuningstudies.yaml"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/{}/leases/tuning"
SIMULATION = "tests.faults.trainer:train"
REPLICAS = 2


@contextmanager
def faulty_cluster() -> Iterator[tuple[ControlPlane, ProcessNode]]:
    """A control plane that knows studies, with a node whose pods are simulated. Raises MissingBinaries."""
    with ControlPlane() as control_plane:
        control_plane.install_definitions(CRD)
        with ProcessNode(control_plane, simulation=SIMULATION) as node:
            yield control_plane, node


@dataclass
class Stage:
    """One namespace with its operators, and all that is between them and the rest."""

    control_plane: ControlPlane
    node: ProcessNode
    namespace: str
    folder: Path
    database: StageDatabase
    api_proxy: FaultProxy
    """Between the operators and the API server."""
    service: FaultProxy
    """Between the trainers and the operators' report endpoints."""
    deployment: Deployment
    storage: StorageReader
    seen: StorageView
    """The storage as it was checked last."""
    audit_since: int

    @property
    def operator(self) -> FaultyOperator:
        """The first replica."""
        return self.deployment.operators[0]

    @property
    def acknowledgements(self) -> Path:
        """What trainers write down."""
        return self.folder / "acknowledgements.jsonl"

    def apply(self, name: str, *, trainer: Mapping[str, Any] | None = None, ttl: str = "1h", **spec: Any) -> None:
        """Create a study of short simulated trials whose Jobs stay for `ttl`."""
        plan = TrainerPlan(str(self.acknowledgements), **(trainer or {}))
        self.control_plane.api.create(self.path(), simulated_study(name, plan, ttl, spec))

    def patch(self, name: str, spec: Mapping[str, Any]) -> None:
        """Change a study's spec."""
        self.control_plane.api.merge_patch(self.path(name), {"spec": spec})

    def get(self, name: str) -> dict[str, Any]:
        """Return a study."""
        study: dict[str, Any] = self.control_plane.api.get(self.path(name))
        return study

    def ended_trials(self, name: str) -> int:
        """Return how many trials have ended, as the storage has it."""
        uid = self.get(name)["metadata"]["uid"]
        return sum(not trial.is_open for trial in self.storage.read().of_study(uid))

    def wait(self, holds: Callable[[], object], seconds: float, what: str) -> None:
        """Wait until something holds; a part that is away meanwhile is patience's to answer."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                if holds():
                    return
            except (ClusterAway, StorageAway, OSError):
                pass
            assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s; {self._hints()}"
            time.sleep(0.1)

    def wait_trials(self, name: str, count: int, seconds: float = 60) -> None:
        """Wait until so many trials of a study have ended."""
        self.wait(lambda: self.ended_trials(name) >= count, seconds, f"{count} trials of {name} have ended")

    def wait_ended(self, name: str, seconds: float = 90) -> dict[str, Any]:
        """Wait until a study has ended; return it."""
        self.wait(lambda: has_ended(self.get(name)), seconds, f"{name} ends")
        return self.get(name)

    def look(self) -> Snapshot:
        """Return what is there now. Raises ClusterAway or StorageAway."""
        acknowledged = read_acknowledgements(self.acknowledgements)
        cluster = read_cluster(self.control_plane.api, self.namespace)
        storage = self.storage.read()
        snapshot = Snapshot(acknowledged, cluster, storage, self.seen)
        self.seen = storage
        return snapshot

    def violated_now(self) -> list[str]:
        """Return what does not hold although it must always. Raises ClusterAway or StorageAway."""
        return violations(self.look(), ALWAYS)

    def violated_at_rest(self, seconds: float = 60) -> list[str]:
        """Return what does not hold once all has ended; the controllers and the status have so long to catch up."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                now = self.look()
                if broken := violations(now, ALWAYS):
                    return broken
                waiting = violations(now, AT_REST)
                if not waiting:
                    return violations(replace(now, requests=self.requests()), AT_REST)
            except (ClusterAway, StorageAway) as away:
                waiting = [str(away)]
            if time.monotonic() > deadline:
                return waiting
            time.sleep(0.5)

    def path(self, study: str = "") -> str:
        """Return the path of a study, or of all."""
        return STUDIES.format(self.namespace) + (f"/{study}" if study else "")

    def requests(self) -> list[AuditEvent]:
        """Return the operators' requests that the API server answered."""
        return list(self.control_plane.audit_log.events(user=self.operator.user, since=self.audit_since))

    def _hints(self) -> str:
        studies = {}
        try:
            view: ClusterView = read_cluster(self.control_plane.api, self.namespace)
            studies = {name_of(study): study.get("status", {}) for study in view.studies if not has_ended(study)}
        except ClusterAway as away:
            studies = {"the cluster is away": str(away)}
        logs = "\n".join(f"--- {operator.name}\n{operator.log()}" for operator in self.deployment.operators)
        return f"{json.dumps(studies, indent=1)}\n{logs}"


Fault = Callable[[Stage, Random], AbstractContextManager[None]]
"""Breaks something on entering, by chance where there is a choice, and lets it heal on leaving."""


@contextmanager
def stage(
    control_plane: ControlPlane,
    node: ProcessNode,
    folder: Path,
    database: StageDatabase,
    *,
    hurry: bool = False,
    defect: str = "",
) -> Iterator[Stage]:
    """A namespace with operators on it, the first of them running. Raises MissingHelm.

    In a `hurry` the Lease of an operator that ended is given up for it, so that the next one need not wait for its end.
    `defect` is one of the operators' deliberate ones.
    """
    helm = Helm(find_helm(), folder)
    namespace = f"faults-{secrets.token_hex(4)}"
    control_plane.api.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
    wait_for_default_account(control_plane, namespace)
    operators: list[FaultyOperator] = []

    def free_lease(operator: FaultyOperator) -> None:
        lease = LEASE.format(namespace)
        with suppress(ApiRefused, OSError):
            if control_plane.api.get(lease)["spec"].get("holderIdentity", "").startswith(f"{operator.name}_"):
                control_plane.api.merge_patch(lease, {"spec": {"holderIdentity": ""}})

    with ExitStack() as stack:
        files = control_plane.files
        tls = (files.certificate, files.key)
        api_proxy = stack.enter_context(
            FaultProxy(lambda: [control_plane.url], certificate=tls, authority=files.authority)
        )
        service = stack.enter_context(FaultProxy(lambda: [each.report_url for each in deployment.running]))
        for number in range(REPLICAS):
            name, urls = f"operator-{number}", {"api_url": api_proxy.url, "service_url": service.url}
            made = FaultyOperator(control_plane, helm, namespace, folder, name, storage_url=database.url, **urls)
            made.defects = f"defect:{defect}" if defect else ""
            operators.append(made)
        since = control_plane.audit_log.position()
        deployment = stack.enter_context(Deployment(operators, free_lease if hurry else lambda _: None))
        operators[0].wait_ready()
        yield Stage(
            control_plane=control_plane,
            node=node,
            namespace=namespace,
            folder=folder,
            database=database,
            api_proxy=api_proxy,
            service=service,
            deployment=deployment,
            storage=StorageReader(database.url),
            seen=StorageView(),
            audit_since=since,
        )
