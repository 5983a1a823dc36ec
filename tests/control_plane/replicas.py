"""Several operators of one release on one PostgreSQL, with a study that has a past and trials that run."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg

from benchmarks.histories import make_history
from tests.api.studies import study
from tests.chart.helm import Helm
from tests.control_plane.operator_process import InstalledOperator, wait_for
from tests.control_plane.reporters import Acknowledged, Reporters
from tests.support.control_plane import ControlPlane
from tests.support.tcp_proxy import TcpProxy
from tuning_operator.api.validation import parse_study
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.search import StudyRepositories

NAME = "history"
STEPS = 100_000
"""More than a trial reports to one set of reporters; each set begins above the steps of the one before."""
STUDIES = "/apis/tuning-operator.io/v1alpha1/namespaces/{}/tuningstudies"


class Replicas:
    """The operators, the Service in front of them, and their study."""

    def __init__(
        self, control_plane: ControlPlane, helm: Helm, namespace: str, folder: Path, url: str, service: TcpProxy
    ) -> None:
        self.control_plane = control_plane
        self.operators: list[InstalledOperator] = []
        self.service = service
        self.forwarding = True
        """Whether operators that are started from now on pass on what they receive as a standby."""
        self.study = StudyKey("", "", "")
        self.running: list[int] = []
        self._helm, self._namespace, self._folder, self._url = helm, namespace, folder, url
        self._key = b""
        self._operators_made = itertools.count()
        self._first_steps = itertools.count(STEPS, STEPS)

    def make_study(self, finished: int, running: int) -> None:
        """Create the study, with a past, before any operator runs."""
        path = STUDIES.format(self._namespace)
        made = self.control_plane.api.create(path, _study(finished, running))
        self.study = StudyKey(self._namespace, NAME, made["metadata"]["uid"])
        self.running = asyncio.run(self._make_history(made, finished, running))

    def add(self) -> InstalledOperator:
        """Start another operator; it is in the Service once it is ready."""
        name = f"operator-{next(self._operators_made)}"
        added = InstalledOperator(
            self.control_plane,
            self._helm,
            self._namespace,
            self._folder,
            name,
            _with_application(self._url, name),
            {"TUNING_OPERATOR_POD_IP": "127.0.0.1" if self.forwarding else ""},
        )
        self.operators.append(added)
        added.start()
        added.wait_ready()
        self.service.targets.append(("127.0.0.1", added.report_port))
        return added

    def make_pair(self) -> tuple[InstalledOperator, InstalledOperator]:
        """Let two operators run, and no more be known; return the active one and its standby."""
        for ended in [operator for operator in self.operators if not operator.running]:
            self.operators.remove(ended)
            ended.kill()
            if ("127.0.0.1", ended.report_port) in self.service.targets:
                self.leave_service(ended)
        while len(self.operators) < 2:
            self.add()
        wait_for(lambda: any(operator.is_active() for operator in self.operators), 60, lambda: "no operator acts")
        self.operators.sort(key=lambda operator: not operator.is_active())
        first, second = self.operators
        return first, second

    def replace(self, old: InstalledOperator) -> float:
        """Do to an operator what a rollout does; return how many seconds it took to leave."""
        self.add()  # a surge: the new pod is ready before the old one is told to end
        self.leave_service(old)
        begin = time.monotonic()
        old.terminate()
        return time.monotonic() - begin

    def leave_service(self, operator: InstalledOperator) -> None:
        """Send no new connections to an operator."""
        self.service.targets.remove(("127.0.0.1", operator.report_port))

    def wait_active(self, operator: InstalledOperator, seconds: float = 60.0) -> None:
        """Wait until an operator acts."""
        wait_for(operator.is_active, seconds, lambda: f"it does not take over; its log:\n{operator.log()}")

    def reporters(self, rate: float) -> Reporters:
        """Let the running trials report through the Service, so often per second together."""
        url = f"http://127.0.0.1:{self.service.port}"
        return Reporters(url, self._key, self.study, self.running, rate, next(self._first_steps))

    def lost(self, acknowledged: list[Acknowledged]) -> set[tuple[int, int]]:
        """Return the (trial, step) of acknowledged reports that the database lacks."""
        rows = self.query("SELECT trial, step FROM tuning_reports WHERE study_uid = %s", self.study.uid)
        return {(report.trial, report.step) for report in acknowledged} - set(rows)

    def query(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Ask the database, past all operators."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        """End all operators, and delete the study."""
        for operator in self.operators:
            operator.kill()
        if self.study.name:
            self.control_plane.api.delete(f"{STUDIES.format(self._namespace)}/{NAME}")

    async def _make_history(self, document: dict[str, Any], finished: int, running: int) -> list[int]:
        repositories = StudyRepositories(self._url)
        try:
            self._key = await repositories.secret_key()
            repository = await repositories.open(self.study, parse_study(document).spec)
            return await make_history(repository, finished, running)
        finally:
            await repositories.aclose()


@contextmanager
def replicas(control_plane: ControlPlane, helm: Helm, namespace: str, folder: Path, url: str) -> Iterator[Replicas]:
    """Have a Service without operators yet."""
    with TcpProxy([]) as service:
        made = Replicas(control_plane, helm, namespace, folder, url, service)
        try:
            yield made
        finally:
            made.close()


def _study(finished: int, running: int) -> dict[str, Any]:
    container = {"name": "trainer", "image": "trainer", "command": ["sleep", "600"]}
    return study(
        NAME,
        objectives=[{"metric": "accuracy", "direction": "Maximize"}],
        parameters=[{"name": "learning_rate", "type": "Float", "low": 0.0, "high": 1.0}],
        search={"sampler": {"name": "Random"}, "seed": 1},
        maxTrials=finished + 2 * running,
        parallelism=running,
        trial={"template": {"spec": {"containers": [container]}}},
    )


def _with_application(url: str, name: str) -> str:
    """Return a database URL whose connections say which operator they are of."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=urlencode([*parse_qsl(parts.query), ("application_name", name)])))
