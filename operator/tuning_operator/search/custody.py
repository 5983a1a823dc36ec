"""Whose a study in the storage is, and what becomes of it when its object is deleted while nobody looks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from tuning_operator.api.deletion_policy import DeletionPolicy
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.search import tables
from tuning_operator.search.study_record import key_of
from tuning_operator.search.study_rows import set_attrs

_OWNER, _POLICY = "tuning:operator", "tuning:deletion_policy"
"""System attributes of a study."""


def keep_policy(connection: Connection, study_id: int, policy: DeletionPolicy) -> None:
    """Store what becomes of a study's history when its object goes."""
    set_attrs(connection, tables.study_system_attributes, study_id, {_POLICY: policy.value})


def claim(connection: Connection, study_id: int, policy: DeletionPolicy, owner: str) -> None:
    """Store that a study is worked on by an operator, and its policy."""
    set_attrs(connection, tables.study_system_attributes, study_id, {_OWNER: owner, _POLICY: policy.value})


def owner_of(system_attrs: Mapping[str, Any]) -> str | None:
    """Return which operator worked on a study last; None: an operator that did not say so."""
    owner = system_attrs.get(_OWNER)
    return owner if isinstance(owner, str) else None


def goes_with_its_object(system_attrs: Mapping[str, Any]) -> bool:
    """Return whether a study's history is deleted with its object, and perhaps is deleted in part."""
    return system_attrs.get(_POLICY) == DeletionPolicy.DELETE


def deletable_studies(connection: Connection, owner: str) -> list[StudyKey]:
    """Return the studies of an operator whose histories go with their objects, whether or not these exist."""
    policies, owners = (tables.study_system_attributes.alias(name) for name in ("policies", "owners"))
    query = (
        select(tables.studies.c.study_name)
        .join(policies, policies.c.study_id == tables.studies.c.study_id)
        .join(owners, owners.c.study_id == tables.studies.c.study_id)
        .where(policies.c.key == _POLICY, policies.c.value_json == json.dumps(DeletionPolicy.DELETE.value))
        .where(owners.c.key == _OWNER, owners.c.value_json == json.dumps(owner))
    )
    keys = map(key_of, connection.execute(query).scalars())
    return [key for key in keys if key is not None]
