"""What becomes of a study's history when its object is deleted."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class DeletionPolicy(StrEnum):
    """Whether the storage keeps a history whose study is gone."""

    RETAIN = "Retain"
    DELETE = "Delete"


def deletion_policy_of(document: Mapping[str, Any]) -> DeletionPolicy | None:
    """Return the policy of an object as the API server shows it, however broken the rest is; None: it names none."""
    spec = document.get("spec")
    policy = spec.get("deletionPolicy") if isinstance(spec, Mapping) else None
    return next((known for known in DeletionPolicy if known == policy), None)
