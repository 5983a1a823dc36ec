"""kopf's settings: watch, and never write."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import kopf

from tuning_operator.api.names import GROUP
from tuning_operator.cluster.credentials import Credentials


class NoDiffBase(kopf.DiffBaseStorage):
    """Compares nothing, for no handler asks what changed.

    kopf's own storage copies every object three times per event, and an annotation with broken JSON in it hides the
    object from all handlers.
    """

    def build(self, *, body: kopf.Body, extra_fields: Iterable[Any] | None = None) -> kopf.BodyEssence:
        """Return an empty essence."""
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        """Return no earlier essence."""
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Store nothing."""


def kopf_settings() -> kopf.OperatorSettings:
    """Return the settings; those that are not named have kopf's defaults."""
    settings = kopf.OperatorSettings()
    settings.peering.standalone = True  # the Lease elects
    settings.posting.enabled = False  # the engine announces transitions, once each
    settings.scanning.disabled = True  # so the role needs neither CRDs nor namespaces
    settings.persistence.finalizer = f"{GROUP}/study"
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP)
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.watching.chunk_size = 500
    settings.watching.connect_timeout = 10
    settings.networking.connect_timeout = 10
    settings.networking.request_timeout = 60
    # Two and a half minutes of an API server that is away; then kopf ends, and the process with it.
    settings.networking.error_backoffs = (1, 1, 2, 3, 5, 8, 13, 21, 34, 55)
    settings.process.ultimate_exiting_timeout = None  # kopf is not the process
    return settings


def connection_info(credentials: Credentials) -> kopf.ConnectionInfo:
    """Return credentials as kopf takes them; it asks again when they are refused."""
    scheme, _, token = (credentials.authorization or "").partition(" ")
    return kopf.ConnectionInfo(
        server=credentials.server,
        ca_path=credentials.ca_file,
        insecure=not credentials.verify,
        scheme=scheme or None,
        token=token or None,
        certificate_path=credentials.certificate_file,
        private_key_path=credentials.key_file,
        proxy_url=credentials.proxy,
        default_namespace=credentials.namespace,
    )
