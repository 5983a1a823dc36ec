"""Rights, as roles grant them and as requests use them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .audit import AuditEvent


class Right(NamedTuple):
    """What may be done with what."""

    group: str
    """The API group; empty: the core one."""
    resource: str
    """The plural, with the subresource after a slash."""
    verb: str

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{'.' if self.group else ''}{self.group}"


def granted(roles: Iterable[Mapping[str, Any]]) -> set[Right]:
    """Return the rights that Roles or ClusterRoles give."""
    return {
        Right(group, resource, verb)
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def right_of(event: AuditEvent) -> Right:
    """Return which right a request needed; one without a resource, such as /readyz, has an empty one."""
    group = event.uri.split("/")[2] if event.uri.startswith("/apis/") and event.resource else ""
    return Right(group, event.resource, event.verb)
