"""A Kubernetes control plane of processes, without containers, for one test run."""

from __future__ import annotations

import http.client
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import yaml

from .api_client import ApiClient, ApiRefused
from .audit import AuditLog
from .binaries import find_binaries
from .components import API_SERVER, CONTROLLER_MANAGER, ETCD, SCHEDULER, USERS, Files, Ports, build_components
from .guard import guard
from .processes import ManagedProcess

START_DEADLINE_S = 60.0
"""Seconds until a component must be ready; 3 are usual, a busy machine needs more."""

_START_ATTEMPTS = 3


class KubectlFailed(Exception):
    """kubectl ended with an error; the message has what it printed."""


class ControlPlane:
    """etcd, kube-apiserver, kube-controller-manager and kube-scheduler on free ports of 127.0.0.1.

    Use it as a context manager, or call `start` and `stop`. `extra_flags` adds flags to a component by its name, e.g.
    `{"kube-apiserver": ["--emulated-version=1.31"]}`. All state is forgotten at the end.
    """

    def __init__(self, extra_flags: Mapping[str, Sequence[str]] | None = None) -> None:
        self._binaries = find_binaries()
        self._extra_flags = extra_flags or {}

    def start(self) -> None:
        """Starts everything and returns when Jobs can be created. Raises ProcessFailed with the end of a log."""
        for attempt in range(_START_ATTEMPTS):
            self._prepare()
            try:
                self._launch()
                return
            except BaseException as failure:
                # Another test run on this machine may have taken a port since it was found free.
                taken = any("address already in use" in each.log_tail(100) for each in self._components.values())
                self.stop()
                if not taken or attempt == _START_ATTEMPTS - 1 or not isinstance(failure, Exception):
                    raise

    def _prepare(self) -> None:
        self.files = Files(Path(tempfile.mkdtemp(prefix="control-plane-")))
        guard.remove(self.files.folder)
        ports = Ports.free()
        self.url = f"https://127.0.0.1:{ports.api_server}"
        self.ca_file = self.files.authority
        tokens = {user: secrets.token_urlsafe(24) for user in USERS}
        self.files.tokens.write_text("".join(f'{tokens[u]},{u},{u},"system:masters"\n' for u in USERS))
        for user in USERS:
            self._write_kubeconfig(self.files.kubeconfig(user), user, tokens[user])
        self.admin_token = tokens["admin"]
        self.kubeconfig = self.files.kubeconfig("admin")
        self.audit_log = AuditLog(self.files.audit_log)
        self.api = ApiClient(self.url, self.ca_file, self.admin_token)
        self._components = build_components(self._binaries, self.files, ports, self._extra_flags)

    def _launch(self) -> None:
        for name in (ETCD, API_SERVER):  # together: the API server waits for etcd
            self._components[name].start()
        self.wait_ready()  # first: the others look for it once a second, and the controller manager gives up after 10 s
        for component in self._components.values():
            component.start()
        # The controller manager offers no probe here; its first visible work is this account.
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        self._wait_until(lambda: self._answers(account), "kube-controller-manager created no ServiceAccount")

    def stop(self) -> None:
        """Ends all processes and removes their files. May be called twice."""
        for component in reversed(getattr(self, "_components", {}).values()):
            component.kill()  # nothing is kept, so nothing needs an orderly end
        if hasattr(self, "files"):
            shutil.rmtree(self.files.folder, ignore_errors=True)

    def __enter__(self) -> ControlPlane:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # Faults

    def component(self, name: str) -> ManagedProcess:
        """The process of `etcd`, `kube-apiserver`, `kube-controller-manager` or `kube-scheduler`."""
        return self._components[name]

    def kill(self, name: str) -> None:
        """SIGKILL, as in a crash. What is stored survives, also a killed etcd's."""
        self._components[name].kill()

    def restart(self, name: str) -> None:
        """Starts a component again on its old port, killed or not, and waits until the API server is ready.

        The API server's clients start again with it: after repeated outages their watches come back after up to 30 s,
        which would teach a test nothing.
        """
        self._components[name].kill()
        self._components[name].start()
        self.wait_ready()
        for client in (CONTROLLER_MANAGER, SCHEDULER) if name == API_SERVER else ():
            if self._components[client].wanted:
                self._components[client].kill()
                self._components[client].start()

    def wait_ready(self) -> None:
        """Returns when the API server is ready and reads from etcd. Raises ProcessFailed or TimeoutError."""
        self._wait_until(lambda: self._answers("/readyz"), "kube-apiserver is not ready")
        # The probe remembers an etcd that is gone for a while; reading one object does not.
        self._wait_until(lambda: self._answers("/api/v1/namespaces/default"), "kube-apiserver cannot read etcd")

    # Access

    def kubectl(self, *arguments: str, input: str | None = None, kubeconfig: Path | None = None) -> str:
        """What `kubectl <arguments>` prints, as the admin unless another kubeconfig is named. Raises KubectlFailed."""
        command = [str(self._binaries / "kubectl"), f"--kubeconfig={kubeconfig or self.kubeconfig}"]
        command.append(f"--cache-dir={self.files.folder / 'kubectl-cache'}")
        environment = {"PATH": os.defpath, "HOME": str(self.files.folder)}
        done = subprocess.run([*command, *arguments], input=input, capture_output=True, text=True, env=environment)
        if done.returncode != 0:
            raise KubectlFailed(f"kubectl {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def install_definitions(self, *files: Path) -> None:
        """Installs CustomResourceDefinitions; returns when they are served and their objects' dependents are collected.

        A running garbage collector looks for new kinds twice a minute, and until then a deleted owner leaves its Jobs
        behind; one that starts knows them at once.
        """
        named = [f"--filename={file}" for file in files]
        self.kubectl("apply", "--server-side", *named)
        self._wait_until(lambda: self._established(named), f"{', '.join(named)} are not served")
        self.restart(CONTROLLER_MANAGER)

    def _established(self, named: Sequence[str]) -> bool:
        try:
            self.kubectl("wait", "--for=condition=Established", "--timeout=5s", *named)
        except KubectlFailed:  # on a busy machine an object may not have a list of conditions yet, which is an error
            return False
        return True

    def create_user_kubeconfig(self, namespace: str, service_account: str) -> Path:
        """A kubeconfig of an existing ServiceAccount, with a token (TokenRequest) that is valid for a day."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{service_account}/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
        answer = self.api.create(path, {**request, "spec": {"expirationSeconds": 24 * 3600}})
        user = f"{namespace}-{service_account}"
        kubeconfig = self.files.kubeconfig(user)
        self._write_kubeconfig(kubeconfig, user, answer["status"]["token"], namespace)
        return kubeconfig

    def _write_kubeconfig(self, path: Path, user: str, token: str, namespace: str = "default") -> None:
        cluster = {"server": self.url, "certificate-authority": str(self.ca_file)}
        context = {"cluster": "test", "user": user, "namespace": namespace}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "test", "context": context}],
            "current-context": "test",
        }
        path.write_text(yaml.safe_dump(content))
        path.chmod(0o600)

    def _answers(self, path: str) -> bool:
        """Whether a GET succeeds."""
        try:
            self.api.request("GET", path, timeout_s=2)
        except (ApiRefused, OSError, http.client.HTTPException):
            return False
        return True

    def _wait_until(self, holds: Callable[[], bool], complaint: str) -> None:
        deadline = time.monotonic() + START_DEADLINE_S
        while not holds():
            for component in self._components.values():
                if component.wanted:
                    component.check()
            if time.monotonic() > deadline:
                tails = "\n".join(f"--- {each.name}\n{each.log_tail()}" for each in self._components.values())
                raise TimeoutError(f"{complaint} after {START_DEADLINE_S:.0f} s:\n{tails}")
            time.sleep(0.02)
