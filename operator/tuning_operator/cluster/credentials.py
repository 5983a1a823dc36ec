"""Where the API server is, and how to prove who is asking."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from tuning_operator.errors import ClusterUnavailable

ACCOUNT_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
"""Where a pod finds the name of its own namespace."""


@dataclass(frozen=True)
class Credentials:
    """One server and one identity, as read at one moment; tokens rotate, so they are loaded anew when refused."""

    server: str
    """URL without a slash at its end."""
    authorization: str | None = None
    """Value of the Authorization header; None: a client certificate says who is asking."""
    ca_file: str | None = None
    """Certificates that the server's is checked against; None: the system's."""
    certificate_file: str | None = None
    """Client certificate."""
    key_file: str | None = None
    """Key of the client certificate."""
    verify: bool = True
    """Whether the server's certificate is checked."""
    server_name: str | None = None
    """Name that the server's certificate is checked for; None: the host of the URL."""
    proxy: str | None = None
    """URL of an HTTP proxy to the server."""
    namespace: str = "default"
    """Namespace of commands that name none."""

    def cluster(self) -> str:
        """Return what tells this cluster from others: a hash of its authority's certificates. Reads a file."""
        if self.ca_file is None:
            return sha256(self.server.encode()).hexdigest()[:8]
        return sha256(Path(self.ca_file).read_bytes()).hexdigest()[:8]

    def ssl_context(self) -> ssl.SSLContext | None:
        """Return what TLS connections are made with; None for plain HTTP. Reads files."""
        if not self.server.startswith("https:"):
            return None
        context = ssl.create_default_context(cafile=self.ca_file)
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.certificate_file:
            context.load_cert_chain(self.certificate_file, self.key_file)
        return context


def load_credentials(context: str | None = None) -> Credentials:
    """Read the kubeconfig that KUBECONFIG names, else the pod's ServiceAccount, else `~/.kube/config`.

    Blocks: it reads files and may run the kubeconfig's credential plugin. `context` names another than the
    kubeconfig's current one.

    Raises
    ------
    ClusterUnavailable
        None of them can be read.
    """
    # 0.4 s and 44 MB that `tuning --help` must not pay.
    import kubernetes

    config: Any = kubernetes.config
    loaded: Any = kubernetes.client.Configuration()
    kubeconfig = os.environ.get("KUBECONFIG")
    in_cluster = not kubeconfig and context is None and "KUBERNETES_SERVICE_HOST" in os.environ
    try:
        if in_cluster:
            config.load_incluster_config(client_configuration=loaded)
        else:
            config.load_kube_config(
                config_file=kubeconfig or "~/.kube/config",
                context=context,
                client_configuration=loaded,
                persist_config=False,
            )
        namespace = _own_namespace() if in_cluster else _namespace_of_context(config, kubeconfig, context)
        return _credentials(loaded, namespace)
    except (config.ConfigException, OSError, ValueError, TypeError) as error:
        raise ClusterUnavailable(
            f"there is no readable Kubernetes configuration ({error}); set KUBECONFIG to a kubeconfig file"
        ) from error


def _credentials(loaded: Any, namespace: str) -> Credentials:
    authorization = loaded.get_api_key_with_prefix("BearerToken") or None
    if authorization is None and loaded.username:
        authorization = loaded.get_basic_auth_token()
    return Credentials(
        server=loaded.host.rstrip("/"),
        authorization=authorization,
        ca_file=loaded.ssl_ca_cert or None,
        certificate_file=loaded.cert_file or None,
        key_file=loaded.key_file or None,
        verify=bool(loaded.verify_ssl),
        server_name=loaded.tls_server_name or None,
        proxy=loaded.proxy or None,
        namespace=namespace,
    )


def _own_namespace() -> str:
    return ACCOUNT_NAMESPACE_FILE.read_text().strip() or "default"


def _namespace_of_context(config: Any, kubeconfig: str | None, context: str | None) -> str:
    contexts, current = config.list_kube_config_contexts(config_file=kubeconfig or "~/.kube/config")
    chosen = next((each for each in contexts if each["name"] == context), current)
    return str(chosen["context"].get("namespace") or "default")
