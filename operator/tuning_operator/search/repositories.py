"""All studies' histories in one storage."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, select

from tuning_operator.api.deletion_policy import DeletionPolicy
from tuning_operator.api.study import StudySpec
from tuning_operator.clock import SystemClock
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import LeaseLost, NotFound
from tuning_operator.fault_points import Point, reach
from tuning_operator.interpreter import look_at_all_again, making_what_stays
from tuning_operator.metrics.recording import Metrics
from tuning_operator.ports import Clock
from tuning_operator.search import custody, tables
from tuning_operator.search.asking_threads import AskingThreads
from tuning_operator.search.attributes import CREATED, created_at, from_json
from tuning_operator.search.database import Database
from tuning_operator.search.deletion import delete_part, delete_reports_part
from tuning_operator.search.history import StudyHistory
from tuning_operator.search.repository import StudyRepository
from tuning_operator.search.resumption import Earlier, Resumption, find_earlier, interrupt
from tuning_operator.search.search_process import SearchProcess
from tuning_operator.search.study_record import key_of
from tuning_operator.search.study_rows import (
    create_study,
    find_reports_uid,
    find_study,
    has_trials,
    rename_study,
    rewrite_search,
    set_attrs,
)
from tuning_operator.search.warm_start import WARM_START, read_warm_start
from tuning_operator.search.workers import Workers
from tuning_operator.search.writer import GroupCommit

_DELETION_PAUSE_SECONDS = 0.02
"""Between two parts of a deletion, so that it takes half of the writer's time at most."""
_SECRET_KEY = "credentials"
_SECRET_KEY_BYTES = 32


@dataclass(frozen=True)
class StoredStudy:
    """A study that the storage has, open or not."""

    key: StudyKey
    created_at: float
    """Seconds since 1970."""


class StudyRepositories:
    """Implements `TrialRepositories` on SQLite and PostgreSQL.

    Making it touches nothing; the first call that needs the database makes its tables. Belongs to one event loop.
    """

    def __init__(
        self, url: str, clock: Clock | None = None, metrics: Metrics | None = None, sources: Database | None = None
    ) -> None:
        """`sources` is where the studies lie that these may learn from (`warmStart`); None: beside them."""
        self._database = Database(url)
        self._sources = sources or self._database
        self._askers = AskingThreads()
        self._search_process = SearchProcess()
        writer = GroupCommit(self._database, metrics or Metrics())
        self._workers = Workers(writer, self._askers, self._search_process, clock or SystemClock())
        self._open: dict[str, StudyRepository] = {}
        self._opening = asyncio.Lock()
        self._policies: dict[str, DeletionPolicy] = {}
        """What is stored of open studies, by uid."""
        self.owner = ""
        """The operator that works with these studies: the uid of its Lease. Empty: a local run."""

    def find(self, uid: str) -> StudyRepository | None:
        """Return an open study's repository, from memory."""
        return self._open.get(uid)

    async def open(self, study: StudyKey, spec: StudySpec, resume: str = "") -> StudyRepository:
        """Load, resume or create a study's history; opening an open one again applies the new spec.

        As long as there is no trial, that may have another search space or objective.
        """
        async with self._opening:
            if resume and study.uid not in self._open:
                await self._resume(Resumption(study, spec, resume, self.owner))
            repository = self._open.get(study.uid)
            if repository is None or await repository.gives_way_to(spec):
                with making_what_stays():
                    repository = await asyncio.to_thread(self._load, study, spec)
                reach(Point.STUDY_STORED)
                self._open[study.uid] = repository
            else:
                await repository.apply(spec)
                if self._policies.get(study.uid) is not spec.deletion_policy:
                    await self.keep_policy(study, spec.deletion_policy)
            self._policies[study.uid] = spec.deletion_policy
            return repository

    async def close(self, uid: str) -> None:
        """Forget a study's history in memory, once nothing of it is being written; the storage keeps it."""
        repository = self._open.get(uid)
        if repository is not None:
            await repository.retire()
        self._policies.pop(uid, None)
        if self._open.pop(uid, None) is not None:
            look_at_all_again()

    async def secret_key(self) -> bytes:
        """Return the key that credentials are derived from; it is made at the first call and kept in the storage."""
        return await asyncio.to_thread(self._secret_key)

    async def take_over(self, election: str, holder: str, on_lost: Callable[[LeaseLost], None]) -> int:
        """Become the only writer: wait for what an earlier leader is writing, and stop what it wants to write later.

        Call it after winning the election and before opening a study. `on_lost` is called on this loop once another
        operator has taken over; writes raise `LeaseLost` then. Returns the fencing number.
        """
        loop = asyncio.get_running_loop()

        def tell(error: LeaseLost) -> None:
            loop.call_soon_threadsafe(on_lost, error)

        return await asyncio.to_thread(self._database.take_over, election, holder, tell)

    async def keep_policy(self, study: StudyKey, policy: DeletionPolicy) -> None:
        """Store what becomes of a study's history when its object goes; a study that is not stored is left alone."""

        def keep(connection: Connection) -> None:
            study_id = find_study(connection, study)
            if study_id is not None:
                custody.keep_policy(connection, study_id, policy)

        await self._workers.writer.run(keep, lambda _: None)

    async def deletable(self) -> Sequence[StudyKey]:
        """Return this operator's studies whose histories go with their objects, whether or not these exist."""
        return await asyncio.to_thread(self._deletable)

    async def delete_history(self, study: StudyKey) -> None:
        """Delete a study's history from the storage, a part at a time; one that does not exist is a success.

        It is marked first: where this breaks off, `deletable` still has the study, and nobody resumes it.
        """
        await self.close(study.uid)
        await self.keep_policy(study, DeletionPolicy.DELETE)
        remains = True
        while remains:
            remains = await self._workers.writer.run(partial(_delete_part, study=study), lambda _: None)
            await asyncio.sleep(_DELETION_PAUSE_SECONDS)

    async def list_studies(self) -> Sequence[StoredStudy]:
        """Return the studies of the storage, the oldest first."""
        return await asyncio.to_thread(self._list_studies)

    async def read_history(self, namespace: str, name: str, uid: str | None = None) -> StudyHistory:
        """Load a study's history for reading, without its spec; without a uid the newest of that name.

        Raises
        ------
        NotFound
            The storage has no such study.
        """
        stored = [
            study.key
            for study in await self.list_studies()
            if (study.key.namespace, study.key.name) == (namespace, name) and uid in (None, study.key.uid)
        ]
        if not stored:
            raise NotFound(f"the storage has no study {namespace}/{name}" + (f" with uid {uid}" if uid else ""))
        return await asyncio.to_thread(self._read, stored[-1])

    async def aclose(self) -> None:
        """Finish what is being written and close all connections."""
        for repository in self._open.values():
            repository.suggest_no_more()
        await self._workers.writer.close()
        self._askers.shutdown()
        await asyncio.to_thread(self._search_process.close)
        await asyncio.to_thread(self._database.close)
        look_at_all_again()

    async def _resume(self, resumption: Resumption) -> None:
        """Let an earlier history be the study's own; one that is interrupted and not renamed yet is so again."""
        earlier = await asyncio.to_thread(self._find_earlier, resumption)
        if earlier is None:
            return
        await self.close(earlier.key.uid)  # what still is being written of it belongs to it
        now, key = self._workers.clock.now(), resumption.study
        repository = await asyncio.to_thread(self._repository, earlier.key, earlier.study_id, resumption.spec)
        await interrupt(repository, now)

        def rename(connection: Connection) -> None:
            rename_study(connection, earlier.study_id, key, repository.reports_uid, now)

        await self._workers.writer.run(rename, lambda _: None)

    def _find_earlier(self, resumption: Resumption) -> Earlier | None:
        with self._database.reading() as connection:
            return find_earlier(connection, resumption)

    def _repository(self, key: StudyKey, study_id: int, spec: StudySpec) -> StudyRepository:
        return StudyRepository(self._database, key, study_id, spec, self._workers)

    def _load(self, key: StudyKey, spec: StudySpec) -> StudyRepository:
        begun, known = self._known_before(key, spec)  # not in the transaction, for whoever writes waits for that
        with self._database.transaction() as connection:
            study_id = find_study(connection, key)
            if study_id is None:
                study_id = create_study(connection, key, spec, self._workers.clock.now())
            else:
                rewrite_search(connection, study_id, spec)
            if not begun:
                set_attrs(connection, tables.study_system_attributes, study_id, {WARM_START: known})
            custody.claim(connection, study_id, spec.deletion_policy, self.owner)
        return self._repository(key, study_id, spec)

    def _known_before(self, key: StudyKey, spec: StudySpec) -> tuple[bool, dict[str, Any] | None]:
        """Return whether a study has trials; if not, what it is to know before its first one."""
        with self._database.reading() as connection:
            study_id = find_study(connection, key)
            if study_id is not None and has_trials(connection, study_id):
                return True, None
        return False, read_warm_start(self._sources, key, self.owner, spec)

    def _read(self, key: StudyKey) -> StudyHistory:
        with self._database.reading() as connection:
            study_id = find_study(connection, key)
        if study_id is None:
            raise NotFound(f"the study {key} was just deleted from the storage")
        return StudyHistory(self._database, key, study_id)

    def _secret_key(self) -> bytes:
        row = {"name": _SECRET_KEY, "value": secrets.token_bytes(_SECRET_KEY_BYTES)}
        with self._database.transaction() as connection:
            connection.execute(tables.insert(connection, tables.keys).on_conflict_do_nothing(), row)
            query = select(tables.keys.c.value).where(tables.keys.c.name == _SECRET_KEY)
            return bytes(connection.execute(query).scalar_one())

    def _deletable(self) -> list[StudyKey]:
        with self._database.reading() as connection:
            return custody.deletable_studies(connection, self.owner)

    def _list_studies(self) -> list[StoredStudy]:
        if not self._database.exists():
            return []
        attrs = tables.study_user_attributes
        query = (
            select(tables.studies.c.study_name, attrs.c.value_json)
            .join(attrs, attrs.c.study_id == tables.studies.c.study_id)
            .where(attrs.c.key == CREATED)
        )
        with self._database.reading() as connection:
            named = [(key_of(name), from_json(created)) for name, created in connection.execute(query)]
        found = [StoredStudy(key, created_at({CREATED: created})) for key, created in named if key is not None]
        return sorted(found, key=lambda study: study.created_at)


def _delete_part(connection: Connection, study: StudyKey) -> bool:
    """Delete some of a study's history; return whether more may be left. What it reported goes first."""
    study_id = find_study(connection, study)
    if delete_reports_part(connection, find_reports_uid(connection, study, study_id)):
        return True
    return study_id is not None and delete_part(connection, study_id)
