"""As much of an API server as the command line asks for: studies, and the proxy to the operator's Service."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml


class ApiServer:
    """What the server knows; tests change it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.studies: dict[str, dict[str, Any]] = {}
        """By namespace/name."""
        self.trials: list[dict[str, Any]] = []
        self.token = "the-read-token"
        self.service = "tuning-operator/tuning-operator:reports"
        self.protocol = "http"
        """Of the port of these Services."""
        self.labelled: list[str] = []
        """Services with the chart's labels, as namespace/name."""
        self.refusals: dict[str, int] = {}
        """Statuses by what a path contains."""
        self.pods: list[dict[str, Any]] = []
        """In the order in which a list has them."""
        self.logs: dict[str, str] = {}
        """By the pod's name."""
        self.on_pods = lambda: None
        """Called before pods are listed."""
        self.patches: list[dict[str, Any]] = []
        """Changes of studies that were asked for."""
        self.answers: list[tuple[int, dict[str, Any]]] = []
        """What the next patches are answered instead of being carried out."""
        self.pages: list[dict[str, str]] = []
        """Queries for trials that were answered."""

    def kubeconfig(self, file: Path, namespace: str) -> Path:
        """Write a kubeconfig for this server."""
        context = {"cluster": "here", "user": "me", "namespace": namespace}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "clusters": [{"name": "here", "cluster": {"server": self.address}}],
            "contexts": [{"name": "here", "context": context}],
            "users": [{"name": "me", "user": {}}],
        }
        file.write_text(yaml.safe_dump(config))
        return file

    def answer(self, path: str, query: dict[str, str], token: str) -> tuple[int, dict[str, Any]]:
        """Return status and body for a GET."""
        for part, status in self.refusals.items():
            if part in path:
                return status, {"kind": "Status", "message": f"the server says {status}"}
        parts = path.strip("/").split("/")
        if parts[:2] == ["apis", "tuning-operator.io"]:
            study = self.studies.get(f"{parts[4]}/{parts[6]}")
            return (200, study) if study else (404, {"kind": "Status", "message": "not found"})
        if parts == ["api", "v1", "services"]:
            return 200, {"items": [self._service(*each.split("/")) for each in self.labelled]}
        if parts[-1] == "pods":
            self.on_pods()
            labels = dict(label.split("=") for label in query["labelSelector"].split(","))
            return 200, {"items": [pod for pod in self.pods if labels.items() <= pod["metadata"]["labels"].items()]}
        namespace, _, service = self.service.partition("/")
        proxy = f"/api/v1/namespaces/{namespace}/services/{service}/proxy/v1/studies/"
        if not path.startswith(proxy):
            return 404, {"kind": "Status", "message": "services not found"}
        if token != self.token:
            return 403, {"error": "wrong token"}
        return 200, self._page(query)

    def merge(self, path: str, query: dict[str, str], changes: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return status and body for a merge patch of a study; its spec changes, and its version."""
        self.patches.append(changes)
        if self.answers:
            return self.answers.pop(0)
        status, study = self.answer(path, query, "")
        if status == 200:
            given, current = changes["metadata"]["resourceVersion"], study["metadata"]["resourceVersion"]
            if given != current:
                return 409, {"kind": "Status", "message": f"{given} is not {current}"}
            merge(study["spec"], changes["spec"])
            study["metadata"]["resourceVersion"] = str(int(current) + 1)
        return status, study

    def _service(self, namespace: str, name: str) -> dict[str, Any]:
        ports = [{"name": "reports", "port": 8080, "appProtocol": self.protocol}]
        return {"metadata": {"namespace": namespace, "name": name}, "spec": {"ports": ports}}

    def _page(self, query: dict[str, str]) -> dict[str, Any]:
        self.pages.append(query)
        limit = min(int(query["limit"]), 2)
        found = [trial for trial in self.trials if trial["number"] > int(query["after"])][:limit]
        return {"trials": found, "next": found[-1]["number"] if len(found) == limit else None}


def merge(document: dict[str, Any], changes: dict[str, Any]) -> None:
    """Merge as RFC 7386 says."""
    for name, value in changes.items():
        if value is None:
            document.pop(name, None)
        elif isinstance(value, dict) and isinstance(document.get(name), dict):
            merge(document[name], value)
        else:
            document[name] = value


@contextmanager
def api_server() -> Iterator[ApiServer]:
    """Serve on a free port of this machine; pages have two trials at most."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            token = self.headers.get("X-Tuning-Read-Token", "")
            if url.path.endswith("/log"):
                self._send(200, "text/plain", served.logs[url.path.split("/")[-2]].encode())
                return
            self._answer(*served.answer(url.path, dict(parse_qsl(url.query)), token))

        def do_PATCH(self) -> None:
            url = urlsplit(self.path)
            changes = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(*served.merge(url.path, dict(parse_qsl(url.query)), changes))

        def _answer(self, status: int, body: dict[str, Any]) -> None:
            self._send(status, "application/json", json.dumps(body).encode())

        def _send(self, status: int, kind: str, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served = ApiServer(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()
