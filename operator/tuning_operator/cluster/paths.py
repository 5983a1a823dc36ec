"""Where things are on the API server."""

from __future__ import annotations

from collections.abc import Sequence

from tuning_operator.api.names import GROUP, PLURAL, VERSION

BATCH = "/apis/batch/v1"
CORE = "/api/v1"
EVENTS = "/apis/events.k8s.io/v1"
COORDINATION = "/apis/coordination.k8s.io/v1"
STUDIES = f"/apis/{GROUP}/{VERSION}"

EVERYWHERE = ""
"""Stands for all namespaces, where a path or a scope takes one."""


def collection(api: str, plural: str, namespace: str = EVERYWHERE) -> str:
    """Return the path of all objects of a kind, in one namespace or everywhere."""
    return f"{api}/namespaces/{namespace}/{plural}" if namespace else f"{api}/{plural}"


def jobs(namespace: str = EVERYWHERE) -> str:
    """Return the path of Jobs."""
    return collection(BATCH, "jobs", namespace)


def pods(namespace: str = EVERYWHERE) -> str:
    """Return the path of pods."""
    return collection(CORE, "pods", namespace)


def studies(namespace: str = EVERYWHERE) -> str:
    """Return the path of TuningStudies."""
    return collection(STUDIES, PLURAL, namespace)


def scopes(namespaces: Sequence[str]) -> tuple[str, ...]:
    """Return what has to be listed and watched one by one: each namespace, or once everywhere."""
    return tuple(dict.fromkeys(namespaces)) or (EVERYWHERE,)
