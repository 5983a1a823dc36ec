"""Environment -> settings. Every setting says its unit, its default and why."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, fields
from urllib.parse import urlsplit

from tuning_operator.errors import TuningError

PREFIX = "TUNING_OPERATOR_"
"""`TUNING_OPERATOR_STORAGE_URL` sets `storage_url`, and so on."""


HMAC = "Hmac"
SERVICE_ACCOUNT_TOKEN = "ServiceAccountToken"


class InvalidSetting(TuningError):
    """A variable of the operator's environment can't be read."""


@dataclass(frozen=True)
class Settings:
    """Everything about the operator that is decided where it is installed."""

    storage_url: str = "sqlite:///tuning.db"
    """SQLAlchemy URL of the database; SQLite needs no server, PostgreSQL (`postgresql://…`) is for production."""

    namespaces: tuple[str, ...] = ()
    """Namespaces to watch, separated by commas; empty: all of them."""

    lease_name: str = "tuning-operator"
    """Name of the Lease that the active operator holds."""

    lease_namespace: str = "default"
    """Namespace of the Lease: the operator's own."""

    lease_duration: float = 15.0
    """Seconds without a renewal after which another operator takes over; Kubernetes' own components use 15."""

    lease_renew_deadline: float = 10.0
    """Seconds without a successful renewal after which this operator ends; must be below `lease_duration`."""

    identity: str = ""
    """Name of this operator in the Lease; empty: the host's name, which is the pod's."""

    report_host: str = "0.0.0.0"
    """Address that the report endpoint listens on."""

    report_port: int = 8080
    """Port of the report endpoint and the read API; 0 takes a free one."""

    pod_ip: str = ""
    """IP address at which other replicas reach this one, so that they can pass on what they receive while it is the
    active one; empty: they ask the sender to come again."""

    report_url: str = "http://127.0.0.1:8080"
    """Base URL under which trial pods reach the report endpoint: the operator's Service."""

    report_authentication: str = HMAC
    """How an attempt proves which one it is. `Hmac`: by a credential in its pod's environment, so whoever may read the
    pod can report for it. `ServiceAccountToken`: by a token that the pod alone has, and that expires."""

    report_certificate_folder: str = ""
    """Folder of a kubernetes.io/tls Secret that reports are encrypted with: `tls.crt`, `tls.key` and, for trials to
    check them against, `ca.crt`; without it their images' own authorities count. Empty: plain HTTP."""

    probe_port: int = 8081
    """Port of /healthz, /readyz and /metrics; apart from reports, so that trial pods need not reach it."""

    resync_seconds: float = 30.0
    """Seconds after which a study is looked at although nothing happened."""

    relist_seconds: float = 300.0
    """Seconds between two listings of all studies and Jobs: a watch that had a gap never tells of deletions."""

    coalesce_seconds: float = 0.01
    """Seconds that a study waits for more events before it acts; a freed slot waits as long."""

    status_seconds: float = 10.0
    """Least seconds between two status patches that only change counters; transitions are written at once."""

    namespace_parallelism: int = 0
    """Most trials in parallel of all studies of a namespace; 0: no limit. Studies that wait get equal shares of it."""

    operator_parallelism: int = 0
    """Most trials in parallel of all studies; 0: no limit. Namespaces that wait get equal shares of it."""

    namespace_trials: int = 0
    """Most trials, finished ones included, of all studies of a namespace that exist; 0: no limit."""

    operator_trials: int = 0
    """Most trials, finished ones included, of all studies that exist: they are in memory; 0: no limit."""

    namespace_report_rate: float = 0.0
    """Requests with reports per second that all trials of a namespace may send for long; 0: no limit."""

    log_format: str = "text"
    """`text` for people, `json` for log collectors."""

    @property
    def holder(self) -> str:
        """This operator's name in the Lease."""
        return self.identity or socket.gethostname()

    def own_report_url(self, port: int) -> str:
        """Return the base URL of this very process's report endpoint; empty where other replicas can't reach it."""
        host = f"[{self.pod_ip}]" if ":" in self.pod_ip else self.pod_ip
        scheme = "https" if self.report_certificate_folder else "http"
        return f"{scheme}://{host}:{port}" if host else ""

    @property
    def report_host_name(self) -> str | None:
        """The name in `report_url`, which the certificate of reports is for."""
        return urlsplit(self.report_url).hostname

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read the settings from `TUNING_OPERATOR_*`.

        Raises
        ------
        InvalidSetting
            A variable is unknown or has a value of the wrong type; the sentence names it.
        """
        types = {field.name: field.type for field in fields(cls)}
        values: dict[str, object] = {}
        for variable, text in environ.items():
            if not variable.startswith(PREFIX):
                continue
            name = variable.removeprefix(PREFIX).lower()
            if name not in types:
                raise InvalidSetting(
                    f"{variable} is no setting; known are {', '.join(PREFIX + n.upper() for n in types)}"
                )
            values[name] = _parse(variable, text, str(types[name]))
        settings = cls(**values)  # type: ignore[arg-type]
        settings._check()
        return settings

    def _check(self) -> None:
        if self.lease_renew_deadline >= self.lease_duration:
            raise InvalidSetting(f"{PREFIX}LEASE_RENEW_DEADLINE must be below {PREFIX}LEASE_DURATION")
        for name in ("namespace_parallelism", "operator_parallelism", "namespace_trials", "operator_trials"):
            if getattr(self, name) < 0:
                raise InvalidSetting(f"{PREFIX}{name.upper()} must not be negative; 0 means no limit")
        if self.log_format not in ("text", "json"):
            raise InvalidSetting(f"{PREFIX}LOG_FORMAT is {self.log_format!r}; write text or json")
        if self.report_authentication not in (HMAC, SERVICE_ACCOUNT_TOKEN):
            raise InvalidSetting(
                f"{PREFIX}REPORT_AUTHENTICATION is {self.report_authentication!r}; "
                f"write {HMAC} or {SERVICE_ACCOUNT_TOKEN}"
            )
        if self.report_certificate_folder and not self.report_url.startswith("https://"):
            raise InvalidSetting(f"{PREFIX}REPORT_URL is {self.report_url!r}, but with a certificate it is https://…")


def _parse(variable: str, text: str, kind: str) -> object:
    try:
        if kind.startswith("tuple"):
            return tuple(part.strip() for part in text.split(",") if part.strip())
        return {"int": int, "float": float}.get(kind, str)(text)
    except ValueError:
        raise InvalidSetting(f"{variable} is {text!r}, which is not a number") from None
