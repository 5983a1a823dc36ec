"""The OpenAPI description of the HTTP surface, so that any language can report.

`python -m tuning_operator.reports.openapi` writes it, with `--check` it says whether it is up to date.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tuning_contract import CONTRACT_VERSION
from tuning_contract.reports import MAX_BODY_BYTES
from tuning_operator.api.trial_template import MAX_RUNS
from tuning_operator.reports.read_api import DEFAULT_TRIALS, MOST_TRIALS, TOKEN_HEADER
from tuning_operator.reports.report_endpoint import STUDY_GONE
from tuning_operator.reports.schemas import Schema, reference, schemas

REFERENCE = Path("docs/reference/report-api.openapi.json")
"""The generated file, below the repository's root."""

REPORTS_PATH = "/v1/studies/{uid}/trials/{trial}/attempts/{attempt}/reports"
PARAMETERS_PATH = "/v1/studies/{uid}/trials/{trial}/attempts/{attempt}/parameters"
TRIALS_PATH = "/v1/studies/{namespace}/{name}/trials"
TRIAL_PATH = TRIALS_PATH + "/{number}"

_ABOUT = """Trials report their metrics here, and people read a study's trials here.

A training container finds the whole address of its reports in TUNING_REPORT_URL and its credential in
TUNING_REPORT_TOKEN, or in the file that TUNING_REPORT_TOKEN_FILE names: then it is read for each request, and 401 means
to come again with what the file holds by then."""

_REPORTING = f"""Stores reports and says whether the trial should stop. The answer 200 means that the reports are
durable; every other answer means that nothing was stored. Repeating a request is harmless: the first report of a step
wins. Repeat it after 408, 429 and 5xx, after the seconds in Retry-After where it is there; other answers are final. A
body has at most {MAX_BODY_BYTES} bytes. The reason {STUDY_GONE} says that the study was deleted."""

_NAMING = """Returns the value of a parameter that the trial's code names while it runs, where the study says
`defineByRun`: the container finds the whole address in TUNING_PARAMETER_URL. The answer 200 means that the value is
durable; repeating a request gives the same value. Repeat it as reports are repeated."""

_INTEGER: Schema = {"type": "integer", "minimum": 0, "maximum": 9_999_999_999}
_UID: Schema = {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"}
_NAMESPACE: Schema = {"type": "string", "pattern": "^[a-z0-9-]{1,63}$"}
_NAME: Schema = {"type": "string", "pattern": "^[a-z0-9.-]{1,253}$"}


def document() -> dict[str, Any]:
    """Return the description."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Reports and trials of tuning studies",
            "version": f"v{CONTRACT_VERSION}",
            "description": _lines(_ABOUT),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": {
            REPORTS_PATH: {"post": _report()},
            PARAMETERS_PATH: {"post": _choose_parameter()},
            TRIALS_PATH: {"get": _trials()},
            TRIAL_PATH: {"get": _trial()},
        },
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "attempt": {"type": "http", "scheme": "bearer", "description": "The attempt's credential."},
                "study": {
                    "type": "apiKey",
                    "in": "header",
                    "name": TOKEN_HEADER,
                    "description": "`status.readToken` of the TuningStudy.",
                },
            },
        },
    }


def _report() -> dict[str, Any]:
    return {
        "operationId": "report",
        "summary": "Report metrics of a trial",
        "description": _lines(_REPORTING),
        "security": [{"attempt": []}],
        "parameters": _attempt(),
        "requestBody": {"required": True, **_json("ReportBatch")},
        "responses": {"200": {"description": "The reports are durable.", **_json("ReportReply")}, **_sending_errors()},
    }


def _choose_parameter() -> dict[str, Any]:
    return {
        "operationId": "chooseParameter",
        "summary": "Get the value of a parameter that the trial's code names",
        "description": _lines(_NAMING),
        "security": [{"attempt": []}],
        "parameters": _attempt(),
        "requestBody": {"required": True, **_json("ParameterRequest")},
        "responses": {
            "200": {"description": "The value; it is durable.", **_json("ParameterReply")},
            **_sending_errors(),
            "409": _error("The study's trials may name no parameters, or not this one; the sentence says why."),
        },
    }


def _attempt() -> list[dict[str, Any]]:
    return [_path("uid", _UID), _path("trial", _INTEGER), _path("attempt", _INTEGER), _run()]


def _sending_errors() -> dict[str, Any]:
    return {
        "400": _error("The body does not follow the schema; the sentence names the place."),
        "401": _error("The credential is not this attempt's, or has expired."),
        "403": _error("The token is that of a pod that does not run this attempt."),
        "404": _error("The study has no such trial, attempt or run."),
        "408": _error("The body did not arrive in time."),
        "413": _error("The body is too long; send fewer reports at once."),
        "415": _error("The body is not announced as application/json, or is compressed."),
        "429": _error("Too many requests; put several reports into one.", retry=True),
        "500": _error("A defect of the operator; its log says more."),
        "503": _error(
            "No operator is active, the study is not loaded yet, or the database or the API server is away.",
            retry=True,
        ),
    }


def _run() -> dict[str, Any]:
    run = {"type": "integer", "minimum": 0, "maximum": MAX_RUNS - 1, "default": 0}
    return _query("run", run, "Which of several runs sends; the address that the container finds has it.")


def _trials() -> dict[str, Any]:
    after = {"type": "integer", "minimum": -1, "default": -1}
    limit = {"type": "integer", "minimum": 1, "maximum": MOST_TRIALS, "default": DEFAULT_TRIALS}
    return {
        "operationId": "listTrials",
        "summary": "List a study's trials in the order of their numbers",
        "security": [{"study": []}],
        "parameters": [
            *_study(),
            _query("after", after, "Only trials with larger numbers; `next` of the page before."),
            _query("limit", limit, "Most trials on the page."),
        ],
        "responses": {"200": {"description": "A page.", **_json("TrialPage")}, **_reading_errors()},
    }


def _trial() -> dict[str, Any]:
    return {
        "operationId": "readTrial",
        "summary": "Read a trial with its reports",
        "security": [{"study": []}],
        "parameters": [*_study(), _path("number", _INTEGER)],
        "responses": {
            "200": {"description": "The trial.", **_json("TrialWithReports")},
            **_reading_errors(),
        },
    }


def _reading_errors() -> dict[str, Any]:
    return {
        "400": _error("A parameter is out of its range."),
        "403": _error("The token does not open this study, or the study is not running here."),
        "404": _error("The study has no such trial, or there is no such address."),
        "429": _error("Too many readers at once.", retry=True),
        "500": _error("A defect of the operator; its log says more."),
        "503": _error("No operator is active, or the database is away.", retry=True),
    }


def _study() -> list[dict[str, Any]]:
    return [_path("namespace", _NAMESPACE), _path("name", _NAME)]


def _path(name: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query(name: str, schema: Schema, description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, "description": description}


def _json(schema: str) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": reference(schema)}}}


def _error(description: str, *, retry: bool = False) -> dict[str, Any]:
    header = {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
    headers = {"headers": {"Retry-After": header}} if retry else {}
    return {"description": description, **headers, **_json("Error")}


def _lines(text: str) -> str:
    """Return the text with one line a paragraph."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def text() -> str:
    """Return the generated file's content."""
    return json.dumps(document(), indent=2) + "\n"


def main(arguments: Sequence[str]) -> None:
    """Write the file in the working directory, the repository's root; with --check, compare only."""
    if "--check" not in arguments:
        REFERENCE.parent.mkdir(parents=True, exist_ok=True)
        REFERENCE.write_text(text())
    elif not REFERENCE.exists() or REFERENCE.read_text() != text():
        sys.exit(f"{REFERENCE} is out of date; run python -m tuning_operator.reports.openapi")


if __name__ == "__main__":
    main(sys.argv[1:])
