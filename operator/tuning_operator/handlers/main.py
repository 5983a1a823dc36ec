"""The operator's own main function: it builds every part, elects, runs, and stops in order."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path

from tuning_operator import fault_points
from tuning_operator.cluster.client import ClusterClient
from tuning_operator.cluster.credentials import Credentials, load_credentials
from tuning_operator.cluster.event_recorder import ClusterEventRecorder
from tuning_operator.cluster.failure_causes import FailureCauses
from tuning_operator.cluster.job_cache import JobCache
from tuning_operator.cluster.job_watch import JobWatch
from tuning_operator.cluster.lease import Lease
from tuning_operator.cluster.pending_jobs import PendingJobs
from tuning_operator.cluster.pod_logs import PodLogs
from tuning_operator.cluster.server_clock import ServerClock
from tuning_operator.cluster.study_client import StudyClient
from tuning_operator.cluster.study_status import ClusterStudyStatusWriter
from tuning_operator.cluster.token_issuer import token_issuer
from tuning_operator.cluster.trial_jobs import ClusterTrialJobs
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.engine import World
from tuning_operator.fair_use import FairUse
from tuning_operator.handlers.active_repositories import ActiveRepositories
from tuning_operator.handlers.deleted_studies import DeletedStudies
from tuning_operator.handlers.logs import configure_logging
from tuning_operator.handlers.parts import beside, patiently, until
from tuning_operator.handlers.probes import ProbeServer
from tuning_operator.handlers.study_feed import StudyFeed
from tuning_operator.handlers.study_watch import StudyWatch
from tuning_operator.interpreter import prepare_interpreter
from tuning_operator.metrics.definitions import CONTENT_TYPE
from tuning_operator.metrics.event_loop import watch_event_loop
from tuning_operator.metrics.recording import Metrics
from tuning_operator.ports import TrialRepository
from tuning_operator.reports.addresses import ReportAddresses
from tuning_operator.reports.certificate import ServingCertificate
from tuning_operator.reports.limits import Limits
from tuning_operator.reports.pod_tokens import PodTokens
from tuning_operator.reports.server import ReportServer
from tuning_operator.search.repositories import StudyRepositories
from tuning_operator.settings import SERVICE_ACCOUNT_TOKEN, Settings
from tuning_operator.study_tasks import StudyTasks
from tuning_operator.trial_logs.log_readings import LogReadings

_log = logging.getLogger(__name__)

FLUSH_SECONDS = 2.0
"""Seconds that the last Events have to be posted."""
DRAIN_SECONDS = 5.0
"""Seconds that the reports under way have to be answered before the Lease is given up."""
LINGER_SECONDS = 3.0
"""Seconds for which reports that still come here are passed on to the next operator: a Service takes as long to learn
that this pod is leaving."""


class Operator:
    """One operator process. `run` returns after SIGTERM, SIGINT or `stop`."""

    def __init__(self, settings: Settings, load: Callable[[], Credentials] = load_credentials) -> None:
        self._settings = settings
        self._load = load
        self._stopping = asyncio.Event()
        self._metrics = Metrics()
        self._clock = ServerClock()
        agent = f"tuning-operator ({settings.holder})"
        # Its own connection: no other request delays a renewal.
        self._lease_client = ClusterClient(
            load, self._metrics.api_requested, attempts=1, user_agent=agent, clock=self._clock
        )
        self._lease = Lease(self._lease_client, settings, self._clock)
        self._client = ClusterClient(
            load,
            self._metrics.api_requested,
            before_write=self._lease.check_held,
            user_agent=agent,
            clock=self._clock,
        )
        self._repositories = StudyRepositories(settings.storage_url, self._clock, self._metrics)
        self._events = ClusterEventRecorder(self._client, self._clock, settings.holder)
        self._cache = JobCache(self._clock, lambda uid: self._wake(uid))
        folder = settings.report_certificate_folder
        self._certificate = ServingCertificate(Path(folder), settings.report_host_name) if folder else None
        self._pod_tokens = self._make_pod_tokens()
        self._feed: StudyFeed | None = None
        self._tasks: StudyTasks | None = None
        self._follows = self._leaves = False
        self.probe_port = self.report_port = 0
        """Where it listens, once it does."""

    @property
    def is_active(self) -> bool:
        """Whether this process is the one that acts."""
        return self._lease.is_held

    @property
    def is_ready(self) -> bool:
        """Whether studies are followed, or another operator does it: a standby is ready."""
        return self._follows if self._lease.is_held else self._lease.holder != ""

    def stop(self) -> None:
        """Let `run` return."""
        self._stopping.set()

    async def run(self) -> None:
        """Run until stopped.

        Raises
        ------
        LeaseLost
            Another operator took over, or the Lease could not be renewed.
        Unavailable
            The API server was away for minutes, or a port is taken. Whoever started the process starts it again.
        """
        prepare_interpreter()
        async with AsyncExitStack() as stack:
            self._listen_to_signals(stack)
            await stack.enter_async_context(self._client)
            await stack.enter_async_context(self._lease_client)
            await stack.enter_async_context(beside(watch_event_loop(self._metrics)))
            await self._start_probes(stack)
            stack.push_async_callback(self._repositories.aclose)
            key = await until(self._stopping, patiently(self._repositories.secret_key, "the storage can't be used"))
            if key is None:
                return
            server = await self._start_reports(stack, key)
            stack.push_async_callback(self._hand_over, server)
            await until(self._stopping, self._lease.acquire())
            if not self._stopping.is_set():
                await self._run_studies(stack, key)

    async def _hand_over(self, server: ReportServer) -> None:
        """Answer what is under way, let the next operator act, and pass on to it what still comes here."""
        self._leaves = True
        await server.drain(DRAIN_SECONDS)
        await self._repositories.aclose()
        await self._lease.release()  # nothing is written after it
        if self._lease.address and self._stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._lease.follow(), LINGER_SECONDS)

    async def _run_studies(self, stack: AsyncExitStack, key: bytes) -> None:
        self._metrics.leadership_changed(True)
        stack.callback(self._metrics.leadership_changed, False)
        await stack.enter_async_context(beside(self._events.run()))
        stack.push_async_callback(self._events.flush, FLUSH_SECONDS)
        tasks = StudyTasks(self._world(key), self._repositories, self._settings)
        stack.push_async_callback(tasks.close)
        reader = StudyClient(self._client)
        namespaces = self._settings.namespaces
        self._tasks = tasks
        self._repositories.owner = self._lease.uid
        deleted = DeletedStudies(tasks, self._repositories, lambda: reader.studies(namespaces), namespaces)
        self._feed = feed = StudyFeed(deleted, lambda: reader.studies(namespaces))
        jobs = JobWatch(self._client, self._cache, namespaces, relist_seconds=self._settings.relist_seconds)
        await until(
            self._stopping,
            self._hold_lease(tasks),
            jobs.run(),
            PendingJobs(self._client, self._cache, self._clock).run(),
            FailureCauses(self._client, self._cache).run(),
            self._follow_studies(jobs, feed, deleted),
        )

    async def _hold_lease(self, tasks: StudyTasks) -> None:
        try:
            await self._lease.hold()
        finally:
            tasks.halt()  # at once: stopping the rest in order takes seconds, and another operator may act already

    async def _follow_studies(self, jobs: JobWatch, feed: StudyFeed, deleted: DeletedStudies) -> None:
        started = time.monotonic()
        await patiently(self._take_database_over, "the database can't be taken over")
        # A study that acts before its Jobs are known would take them for missing.
        await jobs.wait_listed()
        await patiently(feed.relist, "the TuningStudies can't be listed")
        self._follows = True
        self._metrics.taken_over(time.monotonic() - started)
        # No sooner than now, for both may lead to writes.
        seconds = self._settings.relist_seconds
        async with beside(feed.keep_listing(seconds)), beside(deleted.run(seconds)):
            await StudyWatch(self._settings.namespaces, self._load, feed.take).run()

    async def _take_database_over(self) -> None:
        cluster = await asyncio.to_thread((await self._client.credentials()).cluster)
        # Clusters may share a database, and a Lease that is deleted and made again is the same election.
        election = f"{self._settings.lease_namespace}/{self._settings.lease_name}@{cluster}"
        number = await self._repositories.take_over(election, self._lease.identity, self._lease.lose)
        _log.info("this operator is the number %d to write to the database", number)

    def _leader(self) -> str | None:
        """Return where requests are to be passed on to; None: this process serves them."""
        return None if self._lease.is_held and not self._leaves else self._lease.holder_address

    def _world(self, key: bytes) -> World:
        return World(
            ClusterTrialJobs(self._client, self._cache),
            LogReadings(PodLogs(self._client, self._cache).read, self._wake, self._metrics.log_read),
            ClusterStudyStatusWriter(self._client),
            self._events,
            ReportAddresses(
                self._settings.report_url, key, pod_tokens=self._pod_tokens is not None, ca=self._report_authority
            ),
            self._clock,
            self._metrics,
            FairUse(self._settings, self._wake),
        )

    async def _start_reports(self, stack: AsyncExitStack, key: bytes) -> ReportServer:
        server = ReportServer(
            ActiveRepositories(self._repositories, lambda: self._lease.is_held),
            key,
            wake=self._wake,
            gone=lambda uid: self._feed is not None and self._feed.is_gone(uid),
            awaited=self._is_awaited,
            find_study=self._find_study,
            leader=self._leader,
            metrics=self._metrics,
            limits=Limits(namespace_rate=self._settings.namespace_report_rate),
            host=self._settings.report_host,
            port=self._settings.report_port,
            certificate=self._certificate,
            pod_tokens=self._pod_tokens,
        )
        self.report_port = await server.start()
        stack.push_async_callback(server.stop)
        self._lease.address = self._settings.own_report_url(self.report_port)
        return server

    async def _start_probes(self, stack: AsyncExitStack) -> None:
        healthy = {"studies": lambda: self._tasks is None or self._tasks.alive}
        ready = {"studies": lambda: self.is_ready}
        server = ProbeServer(
            healthy,
            ready,
            self._metrics.exposition,
            content_type=CONTENT_TYPE,
            host=self._settings.report_host,
            port=self._settings.probe_port,
        )
        self.probe_port = await server.start()
        stack.push_async_callback(server.stop)

    def _make_pod_tokens(self) -> PodTokens | None:
        if self._settings.report_authentication != SERVICE_ACCOUNT_TOKEN:
            return None
        fetch = partial(token_issuer, self._client)
        return PodTokens(fetch, self._settings.report_url, self._study_of, self._clock.now)

    def _study_of(self, uid: str) -> StudyKey | None:
        return None if self._tasks is None else self._tasks.find_by_uid(uid)

    def _is_awaited(self, uid: str) -> bool:
        """Whether a study may be opened yet: before all are known, and where the database seems to be a wrong one."""
        return not self._follows or (self._study_of(uid) is not None and self._repositories.find(uid) is None)

    def _report_authority(self) -> str | None:
        return None if self._certificate is None else self._certificate.authority

    def _wake(self, uid: str) -> None:
        if self._tasks is not None:
            self._tasks.wake(uid)

    def _find_study(self, namespace: str, name: str) -> tuple[str, TrialRepository] | None:
        study = self._tasks.find(namespace, name) if self._tasks is not None else None
        trials = self._repositories.find(study.uid) if study is not None else None
        return None if study is None or trials is None else (study.uid, trials)

    def _listen_to_signals(self, stack: AsyncExitStack) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
            stack.callback(loop.remove_signal_handler, number)


async def run_operator(settings: Settings, load: Callable[[], Credentials] = load_credentials) -> None:
    """Run an operator until SIGTERM or SIGINT, and log as the settings say; raises what `Operator.run` raises."""
    configure_logging(settings.log_format)
    fault_points.arm()
    await Operator(settings, load).run()
