"""Log lines: text for people, JSON for collectors; both say which study and trial they are about."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

FIELDS = ("namespace", "study", "trial", "attempt")
"""What a log call may give as `extra`."""


class TextFormatter(logging.Formatter):
    """`2027-01-15T08:00:00.123Z INFO    team/digits trial 3: message`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line; a traceback follows on further ones."""
        fields = _fields(record)
        place = "/".join(str(fields[name]) for name in ("namespace", "study") if name in fields)
        parts = [place, *(f"{name} {fields[name]}" for name in ("trial", "attempt") if name in fields)]
        about = " ".join(filter(None, parts))
        message = _one_line(record.getMessage())
        line = f"{_time(record)} {record.levelname:<7} {about + ': ' if about else ''}{message}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the object."""
        entry: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str, ensure_ascii=False)


def configure_logging(log_format: str, level: int = logging.INFO) -> None:
    """Send all log lines to standard error, as `text` or `json`; libraries speak up from WARNING on."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("tuning_operator").setLevel(level)
    # That it gets no signals in its thread is meant to be so.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _one_line(message: str) -> str:
    """Names and messages come from users: no line of theirs may look like one of ours."""
    return message.replace("\r", "\\r").replace("\n", "\\n")
