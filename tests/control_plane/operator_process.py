"""An installed operator: the chart's account and rights, and the process that its pod would run."""

from __future__ import annotations

import os
import sqlite3
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.chart.helm import Helm
from tests.support.control_plane import ControlPlane
from tests.support.processes import ManagedProcess, free_ports

RELEASE = "tuning"
RIGHTS = ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
"""What of the chart an operator outside of the cluster needs."""

LEASE_SECONDS = {"DURATION": "8", "RENEW_DEADLINE": "7"}
"""Shorter than installed: whoever follows a killed operator waits for its Lease. Nobody restarts one that lost it."""


class InstalledOperator:
    """One release that watches one namespace, with its history in an SQLite file."""

    def __init__(
        self,
        control_plane: ControlPlane,
        helm: Helm,
        namespace: str,
        folder: Path,
        name: str = "operator-0",
        storage_url: str = "",
        settings: Mapping[str, str] | None = None,
        https: bool = False,
    ) -> None:
        self.name = name
        self.control_plane = control_plane
        self.namespace = namespace
        self.database = folder / "tuning.db"
        self._storage_url = storage_url or f"sqlite:///{self.database}"
        self.log_file = folder / f"{name}.log"
        self.report_port, self.probe_port = free_ports(2)
        self._report_url = f"{'https' if https else 'http'}://127.0.0.1:{self.report_port}"
        self._account = self._grant_rights(helm)
        self.environment = {**os.environ, **self._settings(name), **(settings or {})}
        """Variables of the process when it starts the next time."""
        self._process = ManagedProcess(
            name,
            [str(Path(sys.executable).with_name("tuning")), "operator"],
            self.log_file,
            environment=self.environment,
            directory=folder,
        )
        self.user_agent = f"tuning-operator ({name})"
        """What tells it from others of its account in the audit log."""

    @property
    def user(self) -> str:
        """Its name in the audit log."""
        return f"system:serviceaccount:{self.namespace}:{self._account}"

    def start(self) -> None:
        """Start the process."""
        self._process.start()

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._process.kill()

    def terminate(self) -> None:
        """End it with SIGTERM, and wait."""
        self._process.terminate(30)

    def pause(self) -> None:
        """Freeze it with SIGSTOP."""
        self._process.pause()

    def resume(self) -> None:
        """Let it go on with SIGCONT."""
        self._process.resume()

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process.running

    def wait_ready(self) -> None:
        """Wait until it follows studies."""
        wait_for(lambda: self._probe("/readyz") == 200, 60, lambda: f"not ready; its log:\n{self.log()}")

    def is_active(self) -> bool:
        """Return whether it follows studies as the active one."""
        return self._probe("/readyz") == 200 and "\ntuning_active_leader 1.0\n" in self.metrics()

    def metrics(self) -> str:
        """Return what /metrics answers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.probe_port}/metrics", timeout=10) as answer:
            return str(answer.read().decode())

    def log(self) -> str:
        """Return the end of its log."""
        return self.log_file.read_text()[-4000:] if self.log_file.exists() else ""

    def query(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Read its database."""
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as connection:
            return connection.execute(statement, parameters).fetchall()

    def _probe(self, path: str) -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.probe_port}{path}", timeout=5) as answer:
                return int(answer.status)
        except (urllib.error.URLError, OSError):
            return 0

    def _grant_rights(self, helm: Helm) -> str:
        values = {"watchNamespaces": [self.namespace], "persistence": {"enabled": False}, "fullnameOverride": RELEASE}
        rendered = helm.render(values, RELEASE, self.namespace)
        rights = [manifest for manifest in rendered if manifest["kind"] in RIGHTS]
        self.control_plane.kubectl("apply", "-n", self.namespace, "-f", "-", input=yaml.safe_dump_all(rights))
        bound = [manifest["roleRef"]["name"] for manifest in rights if _binds_account(manifest)]
        self.roles = [m for m in rights if m["kind"] == "Role" and m["metadata"]["name"] in bound]
        return str(next(manifest["metadata"]["name"] for manifest in rights if manifest["kind"] == "ServiceAccount"))

    def _settings(self, name: str) -> dict[str, str]:
        kubeconfig = self.control_plane.create_user_kubeconfig(self.namespace, self._account)
        return {
            "KUBECONFIG": str(kubeconfig),
            "TUNING_OPERATOR_NAMESPACES": self.namespace,
            "TUNING_OPERATOR_LEASE_NAMESPACE": self.namespace,
            "TUNING_OPERATOR_LEASE_NAME": RELEASE,
            **{f"TUNING_OPERATOR_LEASE_{part}": seconds for part, seconds in LEASE_SECONDS.items()},
            "TUNING_OPERATOR_IDENTITY": name,
            "TUNING_OPERATOR_STORAGE_URL": self._storage_url,
            "TUNING_OPERATOR_REPORT_HOST": "127.0.0.1",
            "TUNING_OPERATOR_REPORT_PORT": str(self.report_port),
            "TUNING_OPERATOR_REPORT_URL": self._report_url,
            "TUNING_OPERATOR_PROBE_PORT": str(self.probe_port),
            "TUNING_OPERATOR_STATUS_SECONDS": "1",
        }


def _binds_account(manifest: dict[str, Any]) -> bool:
    return any(subject["kind"] == "ServiceAccount" for subject in manifest.get("subjects", ()))


def wait_for(holds: Callable[[], bool], seconds: float, complaint: Callable[[], str]) -> None:
    """Wait until something holds; fail with the complaint when it does not in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, complaint()
        time.sleep(0.1)
