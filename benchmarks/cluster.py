"""A control plane, a node whose pods are simulated, and the operator with the rights that its chart gives it."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.simulated_trainer import ENDS_VARIABLE, QUICK_VARIABLE, SECONDS_VARIABLE
from tests.chart.helm import Helm, MissingHelm, find_helm
from tests.control_plane.operator_process import InstalledOperator
from tests.support.audit import AuditEvent
from tests.support.binaries import MissingBinaries
from tests.support.control_plane import ControlPlane
from tests.support.fixtures import wait_for_default_account
from tests.support.process_node import ProcessNode
from tuning_operator.settings import Settings

CRD = Path(__file__).parents[1] / "crds" / "tuningstudies.yaml"
STUDIES = "/apis/tuning-operator.io/v1alpha1/namespaces/{namespace}/tuningstudies"

MISSING = (MissingBinaries, MissingHelm)
"""What `cluster` raises on a machine that lacks a part; the message says how to get it."""

DEADLINE_SECONDS = 300.0
"""How long a study may take here."""


class ConfiguredOperator(InstalledOperator):
    """An operator with the settings that the chart installs."""

    def _settings(self, name: str) -> dict[str, str]:
        # Tests show counters each second.
        return {**super()._settings(name), "TUNING_OPERATOR_STATUS_SECONDS": str(Settings().status_seconds)}


@dataclass(frozen=True)
class Cluster:
    """What a program measures on."""

    control_plane: ControlPlane
    operator: InstalledOperator
    namespace: str
    folder: Path
    """For files of the program; it is removed at the end."""

    def apply(self, study: dict[str, Any]) -> None:
        """Create a study."""
        self.control_plane.api.create(STUDIES.format(namespace=self.namespace), study)

    def wait_complete(self, name: str) -> None:
        """Wait until a study is complete."""
        path = f"{STUDIES.format(namespace=self.namespace)}/{name}"
        deadline = time.monotonic() + DEADLINE_SECONDS
        while (phase := self.control_plane.api.get(path).get("status", {}).get("phase")) != "Complete":
            if phase in ("Failed", "Refused") or time.monotonic() > deadline:
                raise SystemExit(f"the study {name} is {phase}; the operator's log ends with:\n{self.operator.log()}")
            time.sleep(0.25)

    def wait_all_complete(self, seconds: float, look: Callable[[], None]) -> None:
        """Wait until all studies are complete; look at something each second meanwhile."""
        path, deadline = STUDIES.format(namespace=self.namespace), time.monotonic() + seconds
        while phases := [phase for phase in self._phases(path) if phase != "Complete"]:
            if time.monotonic() > deadline or not {"Failed", "Refused"}.isdisjoint(phases):
                raise SystemExit(f"{len(phases)} studies are not complete; the log ends with:\n{self.operator.log()}")
            look()
            time.sleep(1.0)

    def _phases(self, path: str) -> list[str | None]:
        return [item.get("status", {}).get("phase") for item in self.control_plane.api.get(path)["items"]]

    def requests(self, since: int, user: str | None = None) -> Sequence[AuditEvent]:
        """Return the requests since a position of the audit log: the operator's unless another user is named."""
        time.sleep(0.5)  # the last request's event is a little late
        return list(self.control_plane.audit_log.events(user=user or self.operator.user, since=since))

    def job_posts(self, since: int, user: str | None = None) -> list[AuditEvent]:
        """Return the Jobs' creations in the order in which they came."""
        posts = [
            event
            for event in self.requests(since, user)
            if (event.verb, event.resource, event.code) == ("create", "jobs", 201) and "dryRun" not in event.uri
        ]
        return sorted(posts, key=lambda event: event.received_at)

    def delete_jobs(self) -> None:
        """Delete what is left of Jobs and pods, so that it doesn't burden what is measured next."""
        self.control_plane.kubectl("delete", "jobs", "--all", "-n", self.namespace, "--wait=false")
        deadline = time.monotonic() + 60
        while self.control_plane.api.get(f"/api/v1/namespaces/{self.namespace}/pods?limit=1")["items"]:
            if time.monotonic() > deadline:
                raise SystemExit("the pods of earlier Jobs are not deleted after 60 s")
            time.sleep(0.25)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Start everything; end and remove it afterwards.

    Raises
    ------
    MissingBinaries, MissingHelm
        This machine lacks a part.
    """
    binary = find_helm()
    with ExitStack() as stack:
        control_plane = stack.enter_context(ControlPlane())
        folder = Path(stack.enter_context(TemporaryDirectory()))
        control_plane.install_definitions(CRD)
        stack.enter_context(ProcessNode(control_plane, simulation="benchmarks.simulated_trainer:train"))
        namespace = f"benchmark-{secrets.token_hex(4)}"
        control_plane.kubectl("create", "namespace", namespace)
        wait_for_default_account(control_plane, namespace)
        operator = ConfiguredOperator(control_plane, Helm(binary, folder), namespace, folder)
        operator.start()
        stack.callback(operator.terminate)
        operator.wait_ready()
        yield Cluster(control_plane, operator, namespace, folder)


def study(
    name: str, trials: int, parallelism: int, seconds: tuple[float, float], ends: Path | None = None, quick: int = 0
) -> dict[str, Any]:
    """Return a study whose trials last between so many seconds and tell their ends to a file; so many first ones are
    quick."""
    return {
        "apiVersion": "tuning-operator.io/v1alpha1",
        "kind": "TuningStudy",
        "metadata": {"name": name},
        "spec": {
            "objectives": [{"metric": "score", "direction": "Maximize"}],
            "parameters": [{"name": "x", "type": "Float", "low": 0, "high": 1}],
            "search": {"sampler": {"name": "Random"}, "seed": 1},
            "maxTrials": trials,
            "parallelism": parallelism,
            "trial": {"template": {"spec": pod(seconds, ends, quick)}},
        },
    }


def pod(seconds: tuple[float, float], ends: Path | None = None, quick: int = 0) -> dict[str, Any]:
    """Return the spec of a simulated trainer's pod."""
    environment = [
        {"name": SECONDS_VARIABLE, "value": json.dumps(seconds)},
        {"name": QUICK_VARIABLE, "value": str(quick)},
    ]
    if ends is not None:
        environment.append({"name": ENDS_VARIABLE, "value": str(ends)})
    return {"containers": [{"name": "trainer", "image": "trainer", "command": ["python"], "env": environment}]}
