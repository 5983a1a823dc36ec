"""Servers that take reports: the operator's report endpoint, and one that does nothing but HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from aiohttp import web

from benchmarks.histories import STUDY
from tuning_contract import ReportReply
from tuning_operator.reports.credentials import report_token
from tuning_operator.reports.report_endpoint import ROUTE, report_url
from tuning_operator.reports.server import ReportServer
from tuning_operator.search.repositories import StudyRepositories

Targets = Sequence[tuple[str, str]]
"""Path and credential of each trial."""


@asynccontextmanager
async def bare_server(running: Sequence[int]) -> AsyncIterator[tuple[int, Targets]]:
    """aiohttp with a constant answer: its port, and where trials report."""

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=ReportReply().to_json(), content_type="application/json")

    application = web.Application()
    application.router.add_post(ROUTE, answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1], [(_path(number), "none") for number in running]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def report_endpoint(
    repositories: StudyRepositories, running: Sequence[int]
) -> AsyncIterator[tuple[int, Targets]]:
    """The operator's endpoint over a real storage: its port, and where trials report."""
    key = await repositories.secret_key()
    server = ReportServer(repositories, key, wake=lambda _uid: None)
    port = await server.start()
    try:
        yield port, [(_path(number), report_token(key, STUDY.uid, number, 1)) for number in running]
    finally:
        await server.stop()


def _path(trial: int) -> str:
    return urlsplit(report_url("http://operator", STUDY.uid, trial, 1)).path
