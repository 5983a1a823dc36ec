"""How an attempt's pod reaches the report endpoint, and how it proves which attempt it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

_FOLDER = "/var/run/secrets/tuning-operator.io/reports"
"""Where the training container finds its ServiceAccount token; beside the API server's own."""
_VOLUME = "tuning-report-token"
_FILE = "token"
_LIFETIME_SECONDS = 3600
"""The kubelet replaces a token after 80 % of its lifetime; 600 is the least that Kubernetes allows."""


@dataclass(frozen=True)
class ReportAccess:
    """Either `token` or `audience` is set, or nothing at all."""

    url: str | None = None
    """Where the attempt POSTs its reports; None: nowhere."""
    token: str | None = field(default=None, repr=False)
    """The bearer credential of the attempt."""
    audience: str | None = None
    """Whom the pod's ServiceAccount token is for, which the kubelet puts into a file."""
    ca: str | None = field(default=None, repr=False)
    """Certificates (PEM) that the endpoint's own is checked against; None: those that the image trusts."""

    @property
    def parameter_url(self) -> str | None:
        """Where the attempt's code asks for parameters that it names; None: nowhere."""
        return None if self.url is None else f"{self.url.rpartition('/')[0]}/parameters"

    @property
    def token_file(self) -> str | None:
        """Where the pod's ServiceAccount token is; None without one."""
        return None if self.audience is None else f"{_FOLDER}/{_FILE}"


NO_REPORTS = ReportAccess()


def mount_token(pod: dict[str, Any], container: dict[str, Any], audience: str) -> None:
    """Give a container of a pod a ServiceAccount token for the audience; the API server is asked for nothing more."""
    source = {"audience": audience, "expirationSeconds": _LIFETIME_SECONDS, "path": _FILE}
    volume = {"name": _VOLUME, "projected": {"sources": [{"serviceAccountToken": source}]}}
    mount = {"name": _VOLUME, "mountPath": _FOLDER, "readOnly": True}
    pod["volumes"] = [*(pod.get("volumes") or ()), volume]
    container["volumeMounts"] = [*(container.get("volumeMounts") or ()), mount]
