"""What a log line says, and its two forms: text for people, JSON for collectors.

A line that is logged while a request is handled names the request and its trace.
"""

import logging
import select
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal

from opentelemetry.trace import format_span_id, format_trace_id
from pythonjsonlogger.json import JsonFormatter

from bentos import tracing

Format = Literal["text", "json"]
Level = Literal["debug", "info", "warning", "error"]

ALWAYS = ("timestamp", "level", "logger", "process", "pid", "message")
REQUEST = (
    "request_id", "trace_id", "span_id", "method", "route", "status", "outcome", "duration_ms",
    "caller",
)  # fmt: skip
"""Fields of a line about a request; `extra` gives those that the context does not know."""
SOMETIMES = ("left_out", "exception")

MAX_BYTES = select.PIPE_BUF
"""The processes write to one pipe; only what is no longer than this is never mixed there."""
_CUTS = (MAX_BYTES, 1500, 500, 100)
"""Longest messages and tracebacks to try, in characters, until a line is short enough."""
_INDENT = "  "
SOURCE = "source"
"""Attribute of a record that another process wrote: the name and ID of that process."""

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The request that is being handled."""


def fields_of(record: logging.LogRecord, process: str) -> dict[str, Any]:
    """Returns the fields of a line but the exception; one that has no value is left out."""
    name, pid = getattr(record, SOURCE, (process, record.process))
    written = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    values = (
        written.replace("+00:00", "Z"), record.levelname, record.name, name, pid,
        record.getMessage().strip(),
    )  # fmt: skip
    context = _context()
    given = {key: getattr(record, key, context.get(key)) for key in (*REQUEST, "left_out")}
    known = {key: value for key, value in given.items() if value is not None}
    return dict(zip(ALWAYS, values, strict=True)) | known


def _context() -> dict[str, str | None]:
    place = tracing.current()
    if not place.is_valid:
        return {"request_id": request_id.get()}
    return {
        "request_id": request_id.get(),
        "trace_id": format_trace_id(place.trace_id),
        "span_id": format_span_id(place.span_id),
    }


class JsonFormat(JsonFormatter):
    """One JSON object on each line, of MAX_BYTES at most."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        """Only the fields of the schema, whatever else a library attaches to a record."""
        log_data.update(fields_of(record, self._process))
        if "exc_info" in message_dict:
            log_data["exception"] = message_dict["exc_info"]

    def serialize_log_record(self, log_data: dict[str, Any]) -> str:
        """Shortens messages and tracebacks of a line that would be too long."""
        for longest in _CUTS:
            cut = log_data | {"message": log_data["message"][:longest]}
            if "exception" in cut:
                cut["exception"] = cut["exception"][-longest:]  # its end says what happened
            line = super().serialize_log_record(cut)
            if len(line) < MAX_BYTES:  # all of it is ASCII; the end of the line counts too
                break
        return line


class TextFormat(logging.Formatter):
    """Timestamp, level, process, logger and message; tracebacks and further lines are indented."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line without a traceback."""
        fields = fields_of(record, self._process)
        about = {"request": fields.get("request_id"), "trace": fields.get("trace_id")}
        ends = (f"{key}={value}" for key, value in about.items() if value)
        begins = (fields[key] for key in ("timestamp", "level", "process", "logger"))
        return " ".join([*begins, _shown(fields["message"]), *ends])

    def formatException(self, ei: Any) -> str:
        """The traceback."""
        return _INDENT + _shown(super().formatException(ei))


def _shown(text: str) -> str:
    """Escapes control characters and indents further lines: no text can look like a new line."""
    if text.isprintable():
        return text
    return f"\n{_INDENT}".join(
        "".join(each if each.isprintable() else repr(each)[1:-1] for each in line)
        for line in text.split("\n")
    )


FORMATS: dict[Format, type[JsonFormat | TextFormat]] = {"text": TextFormat, "json": JsonFormat}
