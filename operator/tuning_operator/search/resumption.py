"""Gives a study that was created again the history of an earlier one of its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import TrialState
from sqlalchemy import Connection, exists, select

from tuning_operator.api.names import RESUME_ANNOTATION
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import InvalidStudy
from tuning_operator.search import report_rows, tables
from tuning_operator.search.custody import goes_with_its_object, owner_of
from tuning_operator.search.history import ATTEMPT
from tuning_operator.search.loading import study_attrs
from tuning_operator.search.study_record import (
    CREATED,
    differences,
    key_of,
    read_record,
    rename_study,
    same_template,
    study_name,
)
from tuning_operator.search.trial_rows import set_user_attrs

NEWEST = "true"
"""Value of the annotation that names no history in particular."""


@dataclass(frozen=True)
class Resumption:
    """What a study asks for that was created again."""

    study: StudyKey
    spec: StudySpec
    which: str
    """Uid of an earlier study of its name, or `NEWEST`."""
    owner: str
    """The operator that works on it."""
    now: float
    """Seconds since 1970."""


@dataclass(frozen=True)
class _Earlier:
    study_id: int
    key: StudyKey
    created_at: float
    system_attrs: dict[str, Any]


def resume_study(connection: Connection, resumption: Resumption) -> int | None:
    """Let an earlier history become the study's own; return its id, None: there is no earlier one.

    Trials that were open follow with a new attempt, for the Jobs of the old object go with it.

    Raises
    ------
    InvalidStudy
        The history can't be gone on with; nothing was changed.
    """
    earlier = _chosen(_earlier_studies(connection, resumption.study), resumption)
    if earlier is None:
        return None
    _require_same_study(earlier, resumption.spec)
    reports_uid = read_record(earlier.key, earlier.study_id, earlier.system_attrs).reports_uid
    _start_attempts(connection, earlier.study_id, reports_uid)
    rename_study(connection, earlier.study_id, resumption.study, reports_uid, resumption.now)
    return earlier.study_id


def _earlier_studies(connection: Connection, study: StudyKey) -> list[_Earlier]:
    """Return the kept histories of the name that have trials, the oldest first."""
    name, of_study = tables.studies.c, tables.trials.c.study_id == tables.studies.c.study_id
    of_name = name.study_name.startswith(study_name(StudyKey(study.namespace, study.name, "")), autoescape=True)
    query = select(name.study_id, name.study_name).where(of_name, exists().where(of_study))
    found = []
    for study_id, full_name in connection.execute(query):
        system_attrs = study_attrs(connection, tables.study_system_attributes, study_id)
        user_attrs = study_attrs(connection, tables.study_user_attributes, study_id)
        if not goes_with_its_object(system_attrs):
            created_at = float(user_attrs.get(CREATED, 0.0))
            found.append(_Earlier(study_id, key_of(full_name), created_at, system_attrs))
    return sorted(found, key=lambda earlier: earlier.created_at)


def _chosen(earlier: Sequence[_Earlier], resumption: Resumption) -> _Earlier | None:
    if resumption.which == NEWEST:
        newest = earlier[-1] if earlier else None
        if newest is not None and owner_of(newest.system_attrs) != resumption.owner:
            raise _refused(
                f"another installation of the operator wrote the newest history of {resumption.study}; if nothing else "
                f"works on it any more, name it: {RESUME_ANNOTATION}: {newest.key.uid}"
            )
        return newest
    chosen = next((each for each in earlier if each.key.uid == resumption.which), None)
    if chosen is None:
        known = ", ".join(each.key.uid for each in earlier[-5:]) or "none"
        raise _refused(
            f"the annotation {RESUME_ANNOTATION} is {resumption.which[:64]!r}, which is no earlier history of "
            f'{resumption.study} (there are: {known}); write one of these uids, "true" for the newest, or remove it'
        )
    return chosen


def _require_same_study(earlier: _Earlier, spec: StudySpec) -> None:
    problems = differences(read_record(earlier.key, earlier.study_id, earlier.system_attrs), spec)
    if not same_template(earlier.system_attrs, spec):
        problems.append("`trial.template` differs from that of the study's stored history")
    way_out = f"change it back, or remove the annotation {RESUME_ANNOTATION} to start a new history"
    if problems:
        raise _refused(*(f"{problem}; {way_out}" for problem in problems))


def _refused(*problems: str) -> InvalidStudy:
    return InvalidStudy(problems, reason="NotResumable")


def _start_attempts(connection: Connection, study_id: int, reports_uid: str) -> None:
    """Let a new attempt follow for each open trial, unless it came to its end and only has to be told."""
    trials, attrs, events = tables.trials.c, tables.trial_user_attributes.c, tables.trial_events.c
    query = (
        select(trials.trial_id, trials.number, attrs.value_json)
        .join_from(tables.trials, tables.trial_user_attributes)
        .where(trials.study_id == study_id, trials.state == TrialState.RUNNING, attrs.key == ATTEMPT)
    )
    newest = {number: (trial_id, int(attempt)) for trial_id, number, attempt in connection.execute(query)}
    if not newest:
        return
    query = select(events.trial, events.attempt, events.kind).where(
        events.study_uid == reports_uid, events.trial >= min(newest)
    )
    for number, attempt, kind in connection.execute(query):
        if number in newest and (kind == report_rows.PRUNE_DECIDED or attempt == newest[number][1]):
            del newest[number]
    set_user_attrs(connection, {trial_id: {ATTEMPT: attempt + 1} for trial_id, attempt in newest.values()})
