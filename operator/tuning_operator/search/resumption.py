"""Gives a study that was created again the history of an earlier one of its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, exists, select

from tuning_operator.api.names import RESUME_ANNOTATION
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.history import ActiveTime
from tuning_operator.decisions.pod_time import attempt_seconds
from tuning_operator.decisions.retrying import put_off
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import InvalidStudy
from tuning_operator.search import tables
from tuning_operator.search.attributes import created_at
from tuning_operator.search.custody import goes_with_its_object, owner_of
from tuning_operator.search.loading import study_attrs
from tuning_operator.search.repository import StudyRepository
from tuning_operator.search.study_record import differences, read_record, same_template, study_name
from tuning_operator.search.study_rows import find_study

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


@dataclass(frozen=True)
class Earlier:
    """A history that is kept."""

    study_id: int
    key: StudyKey
    created_at: float
    system_attrs: dict[str, Any]


def find_earlier(connection: Connection, resumption: Resumption) -> Earlier | None:
    """Return the history that a study goes on with; None: there is none, or it has its own already.

    Raises
    ------
    InvalidStudy
        The history can't be gone on with.
    """
    if find_study(connection, resumption.study) is not None:
        return None
    earlier = _chosen(_earlier_studies(connection, resumption.study), resumption)
    if earlier is not None:
        _require_same_study(earlier, resumption.spec)
    return earlier


async def interrupt(repository: StudyRepository, now: float) -> None:
    """Let new attempts follow for open trials, whose Jobs went with the old object, and let the study's clock stand.

    What was used until then is kept as far as reports say it.
    """
    history = repository.history()
    for trial in history.open:
        await repository.start_attempt(put_off(trial, attempt_seconds(trial, None, now), "Resumed"))
    seen = [history.started_at, history.last_ended_at, *(trial.last_report_at for trial in history.open)]
    last_sign = max((time for time in seen if time is not None), default=now)
    if history.active.since is not None:
        await repository.keep_active_time(ActiveTime(history.active.seconds_at(last_sign)))


def _earlier_studies(connection: Connection, study: StudyKey) -> list[Earlier]:
    """Return the kept histories of the name that have trials, the oldest first."""
    name, of_study = tables.studies.c, tables.trials.c.study_id == tables.studies.c.study_id
    of_name = name.study_name.startswith(study_name(StudyKey(study.namespace, study.name, "")), autoescape=True)
    query = select(name.study_id, name.study_name).where(of_name, exists().where(of_study))
    found = []
    for study_id, full_name in connection.execute(query):
        system_attrs = study_attrs(connection, tables.study_system_attributes, study_id)
        user_attrs = study_attrs(connection, tables.study_user_attributes, study_id)
        if not goes_with_its_object(system_attrs):
            key = StudyKey(study.namespace, study.name, full_name.rpartition("/")[2])
            found.append(Earlier(study_id, key, created_at(user_attrs), system_attrs))
    return sorted(found, key=lambda earlier: earlier.created_at)


def _chosen(earlier: Sequence[Earlier], resumption: Resumption) -> Earlier | None:
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


def _require_same_study(earlier: Earlier, spec: StudySpec) -> None:
    problems = differences(read_record(earlier.key, earlier.study_id, earlier.system_attrs), spec)
    if not same_template(earlier.system_attrs, spec):
        problems.append("`trial.template` differs from that of the study's stored history")
    way_out = f"change it back, or remove the annotation {RESUME_ANNOTATION} to start a new history"
    if problems:
        raise _refused(*(f"{problem}; {way_out}" for problem in problems))
    sampler = spec.search.sampler.name
    if sampler.inherits_checkpoints:
        raise _refused(
            f"trials of {sampler.value} go on from each other's checkpoints, which the study's earlier object has in "
            f"directories of its own; remove the annotation {RESUME_ANNOTATION} to start a new history"
        )


def _refused(*problems: str) -> InvalidStudy:
    return InvalidStudy(problems, reason="NotResumable")
