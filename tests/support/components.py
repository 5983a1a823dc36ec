"""The programs of a control plane with the flags that a test run wants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .audit import POLICY
from .certificates import write_service_account_keys, write_serving_certificate
from .processes import ManagedProcess, free_ports

ETCD = "etcd"
API_SERVER = "kube-apiserver"
CONTROLLER_MANAGER = "kube-controller-manager"
SCHEDULER = "kube-scheduler"
START_ORDER = (ETCD, API_SERVER, CONTROLLER_MANAGER, SCHEDULER)
"""Each needs the ones before it."""

USERS = ("admin", CONTROLLER_MANAGER, SCHEDULER, "process-node")
"""All of group system:masters, with a token each, so that the audit log tells them apart. The user's name is also the
part of the file name in `kubeconfig-<user>.yaml`."""


@dataclass
class Files:
    """Where everything of one control plane lies, below one folder that is its own."""

    folder: Path
    audit_log: Path = field(init=False)
    tokens: Path = field(init=False)
    audit_policy: Path = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.audit_log = self.folder / "audit.log"
        self.tokens = self.folder / "tokens.csv"
        self.audit_policy = self.folder / "audit-policy.yaml"
        self.audit_policy.write_text(POLICY)
        self.certificate, self.key, self.authority = write_serving_certificate(self.folder / "pki", "apiserver")
        self.account_public_key, self.account_key = write_service_account_keys(self.folder / "pki")

    def kubeconfig(self, user: str) -> Path:
        return self.folder / f"kubeconfig-{user}.yaml"

    def log(self, component: str) -> Path:
        return self.folder / f"{component}.log"


@dataclass(frozen=True)
class Ports:
    """TCP ports on 127.0.0.1."""

    etcd_clients: int
    etcd_peers: int
    api_server: int

    @classmethod
    def free(cls) -> Ports:
        return cls(*free_ports(3))


def build_components(
    binaries: Path, files: Files, ports: Ports, extra_flags: Mapping[str, Sequence[str]]
) -> dict[str, ManagedProcess]:
    """The four programs, not started yet, in the order in which they start. A later flag overrides an earlier one."""
    flags = {
        ETCD: _etcd(files, ports),
        API_SERVER: _api_server(files, ports),
        CONTROLLER_MANAGER: _controller_manager(files),
        SCHEDULER: _client_flags(files, SCHEDULER),
    }
    return {
        name: ManagedProcess(name, [str(binaries / name), *flags[name], *extra_flags.get(name, ())], files.log(name))
        for name in START_ORDER
    }


def _etcd(files: Files, ports: Ports) -> list[str]:
    clients, peers = f"http://127.0.0.1:{ports.etcd_clients}", f"http://127.0.0.1:{ports.etcd_peers}"
    return [
        f"--data-dir={files.folder / 'etcd'}",
        "--unsafe-no-fsync",  # a crash of the machine ends the test anyway; a killed etcd loses nothing
        f"--listen-client-urls={clients}",
        f"--advertise-client-urls={clients}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
    ]


def _api_server(files: Files, ports: Ports) -> list[str]:
    return [
        f"--etcd-servers=http://127.0.0.1:{ports.etcd_clients}",
        f"--tls-cert-file={files.certificate}",
        f"--tls-private-key-file={files.key}",
        "--bind-address=127.0.0.1",
        f"--secure-port={ports.api_server}",
        f"--token-auth-file={files.tokens}",
        "--authorization-mode=RBAC,Node",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={files.account_public_key}",
        f"--service-account-signing-key-file={files.account_key}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--audit-policy-file={files.audit_policy}",
        f"--audit-log-path={files.audit_log}",
        "--audit-log-maxsize=4096",  # megabytes: a benchmark's log must not be rotated away
    ]


def _controller_manager(files: Files) -> list[str]:
    return [
        *_client_flags(files, CONTROLLER_MANAGER),
        f"--service-account-private-key-file={files.account_key}",
        f"--root-ca-file={files.authority}",
        "--use-service-account-credentials=false",
        # The process node and the tests say whether a node is ready, not a lease that a slow machine renews late.
        "--controllers=*,-node-lifecycle-controller",
        # The defaults (20 and 30) end at about 3.5 Jobs a second.
        "--kube-api-qps=1000",
        "--kube-api-burst=2000",
        "--concurrent-job-syncs=10",
    ]


def _client_flags(files: Files, user: str) -> list[str]:
    kubeconfig = files.kubeconfig(user)
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--secure-port=0",
    ]
