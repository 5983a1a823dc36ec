"""An operator's report endpoint for tests: real HTTP, scripted answers, and a record of what arrived."""

from __future__ import annotations

import socket
import ssl
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tuning_contract import Report, ReportBatch, ReportReply, TrialEnd


@dataclass(frozen=True)
class Answer:
    """What one request is answered."""

    status: int = 200
    body: bytes = ReportReply().to_json()
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    """Close the connection instead of answering, after the batch was recorded."""
    hang_up: bool = False
    """Answer, then close the connection without having announced it, as a server does with an idle one."""


class FakeOperator:
    """Listens on a free port from `start` to `stop`; can be started again on the same port."""

    def __init__(self, certificate: tuple[Path, Path] | None = None) -> None:
        """`certificate`: files of a certificate and its key, for HTTPS."""
        self._certificate = certificate
        self.answers: deque[Answer] = deque()
        """Answers of the next requests; afterwards `Answer()`."""
        self.batches: list[ReportBatch] = []
        """Every batch that arrived, repeated ones too."""
        self.authorizations: list[str | None] = []
        self.connections = 0
        self.open_gate = threading.Event()
        """Requests wait for it before they are answered."""
        self.open_gate.set()
        self.port = free_port()
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        scheme = "http" if self._certificate is None else "https"
        return f"{scheme}://127.0.0.1:{self.port}/v1/trials/3/reports?attempt=1"

    @property
    def reports(self) -> list[Report]:
        return [report for batch in self.batches for report in batch.reports]

    @property
    def steps(self) -> list[int]:
        return [report.step for report in self.reports]

    @property
    def ends(self) -> list[TrialEnd]:
        return [batch.end for batch in self.batches if batch.end is not None]

    def start(self) -> None:
        self._server = _Server(("127.0.0.1", self.port), _handler(self))
        if self._certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(*self._certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> FakeOperator:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.open_gate.set()
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.connected: list[socket.socket] = []

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.connected.append(connection)
        return connection, address

    def server_close(self) -> None:
        """Close the kept-alive connections too, as the end of a process does."""
        super().server_close()
        for connection in self.connected:
            _shut(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that the client closed is no news."""


def _handler(operator: FakeOperator) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet

        def setup(self) -> None:
            super().setup()
            operator.connections += 1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            operator.open_gate.wait(60)
            operator.batches.append(ReportBatch.from_json(body))
            operator.authorizations.append(self.headers["Authorization"])
            answer = operator.answers.popleft() if operator.answers else Answer()
            self.close_connection = answer.cut or answer.hang_up
            if not answer.cut:
                self._answer(answer)

        def _answer(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Requests are recorded, not logged."""

    return Handler


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it was closed already


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
