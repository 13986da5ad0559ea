"""A line has the same fields in both forms, and none that a library adds."""

import logging
import re
import sys

import pytest

from bentos import tracing
from bentos.logs.lines import MAX_BYTES, SOURCE, JsonFormat, TextFormat, request_id
from tests.unit.bentos.logs.records import parse, record

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ABOUT = {
    "method": "POST",
    "route": "/v1/analyses",
    "status": 200,
    "outcome": "accepted",
    "duration_ms": 12.3,
}


def failure(message: str) -> logging.LogRecord:
    """A record with a traceback."""
    try:
        raise ValueError(message)
    except ValueError:
        return record("it failed", level=logging.ERROR, exc_info=sys.exc_info())


def test_json_line_has_time_level_logger_process_and_message() -> None:
    fields = parse(JsonFormat("gateway").format(record("%d of %s", 3, "them")))

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", fields["timestamp"])
    assert (fields["level"], fields["logger"]) == ("INFO", "bentos.test")
    assert (fields["process"], fields["message"]) == ("gateway", "3 of them")
    assert fields["pid"] > 0


def test_timestamp_is_in_utc() -> None:
    late = record()
    late.created = 0.5

    assert parse(JsonFormat("gateway").format(late))["timestamp"] == "1970-01-01T00:00:00.500Z"


def test_fields_about_a_request_are_in_the_json_line() -> None:
    fields = parse(JsonFormat("gateway").format(record(**ABOUT)))

    assert {name: fields[name] for name in ABOUT} == ABOUT


def test_line_without_a_request_has_no_field_about_one() -> None:
    fields = parse(JsonFormat("gateway").format(record(status=None)))

    assert not fields.keys() & {"status", "request_id", "trace_id", "exception"}


@pytest.mark.parametrize("name", ["color_message", "client", "headers", "taskName"])
def test_field_that_a_library_attaches_to_a_record_is_left_out(name: str) -> None:
    line = JsonFormat("gateway").format(record(**{name: "203.0.113.7"}))

    assert name not in parse(line)
    assert "203.0.113.7" not in line


@pytest.mark.parametrize("form", [JsonFormat, TextFormat])
def test_line_logged_while_a_request_is_handled_names_it_and_its_trace(
    form: type[JsonFormat | TextFormat],
) -> None:
    handled = request_id.set("r-1")
    try:
        with tracing.remote_parent({"traceparent": f"00-{TRACE}-{SPAN}-01"}):
            line = form("gateway").format(record())
    finally:
        request_id.reset(handled)

    assert "r-1" in line
    assert TRACE in line
    assert "r-1" not in form("gateway").format(record())


def test_exception_is_a_field_of_its_line_in_json() -> None:
    line = JsonFormat("gateway").format(failure("broken\nin two"))
    fields = parse(line)

    assert "\n" not in line
    assert fields["message"] == "it failed"
    assert fields["exception"].startswith("Traceback")
    assert fields["exception"].endswith("ValueError: broken\nin two")


@pytest.mark.parametrize("character", ["x", "\n", "\u00e9", "\U0001f600", "\udcff"])
def test_json_line_is_never_longer_than_what_a_pipe_writes_at_once(character: str) -> None:
    for long in (record(9000 * character), failure(9000 * character)):
        line = JsonFormat("gateway").format(long)

        parse(line)
        assert len(line.encode()) < MAX_BYTES


def test_end_of_a_long_traceback_is_kept() -> None:
    fields = parse(JsonFormat("gateway").format(failure(9000 * "x" + " the cause")))

    assert fields["exception"].endswith(" the cause")


def test_line_about_another_process_has_its_name_and_id() -> None:
    fields = parse(JsonFormat("supervisor").format(record(**{SOURCE: ("xray_filter", 7)})))

    assert (fields["process"], fields["pid"]) == ("xray_filter", 7)


def test_text_line_is_timestamp_level_process_logger_and_message() -> None:
    line = TextFormat("gateway").format(record("it is %s", "so", **ABOUT))

    timestamp, rest = line.split(" ", 1)
    assert timestamp.endswith("Z")
    assert rest == "INFO gateway bentos.test it is so"


def test_text_of_others_cannot_begin_another_line() -> None:
    line = TextFormat("gateway").format(record("%s is so", "a pod\u2028\n2026 INFO\r\x1b[2K"))

    first, second = line.splitlines()
    assert first.endswith(r" a pod\u2028")
    assert second == r"  2026 INFO\r\x1b[2K is so"


def test_traceback_follows_the_text_line() -> None:
    first, *trace = TextFormat("gateway").format(failure("broken\nin two")).splitlines()

    assert first.endswith("ERROR gateway bentos.test it failed")
    assert trace[0] == "  Traceback (most recent call last):"
    assert trace[-2:] == ["  ValueError: broken", "  in two"]
