"""Whatever a process says becomes a line of the one log."""

import os
import subprocess
import sys
from typing import Any

import pytest

from bentos.logs.setup import DESCRIPTOR, PROCESS
from tests.conftest import ROOT
from tests.unit.bentos.logs.records import parse

SCRIPT = """
import asyncio, logging, sys, threading, warnings
from bentos.logs.setup import configure, log_loop_errors

library = logging.getLogger("uvicorn.error")
library.addHandler(logging.StreamHandler(sys.stdout))
library.setLevel(logging.INFO)
library.propagate = False

configure("json", sys.argv[1], process="gateway")

logging.getLogger("bentos.some.module").debug("our debug")
logging.getLogger("bentos.some.module").info("our info")
logging.getLogger("aiohttp").info("info of a library")
library.info("a library that decides")
library.warning("a warning of a library")
logging.getLogger("bentos.some.module").info("%d is no number", "x")
warnings.warn("a warning")

async def main():
    log_loop_errors()
    loop = asyncio.get_running_loop()
    loop.call_soon(lambda secret: 1 / 0, "bytes of a request")
    loop.call_exception_handler({"message": "with a peer", "transport": "203.0.113.7"})
    await asyncio.sleep(0)

asyncio.run(main())
thread = threading.Thread(target=int, args=("of a thread",))
thread.start()
thread.join()
logging.getLogger("bentos.some.module").error("our error")
raise RuntimeError("at the end")
"""


def run(level: str, **environment: str) -> list[dict[str, Any]]:
    """The lines of the script's log; fails if there is anything else in its output."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, level],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (1, "")
    return [parse(line) for line in done.stderr.splitlines()]


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    return run("info")


def named(lines: list[dict[str, Any]], logger: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["logger"] == logger]


def test_lines_of_ours_begin_at_the_configured_level(lines: list[dict[str, Any]]) -> None:
    messages = [line["message"] for line in named(lines, "bentos.some.module")]

    assert messages == ["our info", "our error"]
    assert "our debug" in [line["message"] for line in run("debug")]


def test_error_level_leaves_out_warnings_of_ours_and_of_libraries() -> None:
    assert {line["level"] for line in run("error")} == {"ERROR", "CRITICAL"}


def test_lines_of_libraries_begin_at_warning_unless_they_decide_otherwise(
    lines: list[dict[str, Any]],
) -> None:
    assert named(lines, "aiohttp") == []
    assert [line["message"] for line in named(lines, "uvicorn.error")] == [
        "a library that decides",
        "a warning of a library",
    ]


def test_python_warning_is_a_line(lines: list[dict[str, Any]]) -> None:
    (line,) = named(lines, "py.warnings")

    assert line["level"] == "WARNING"
    assert "a warning" in line["message"]


def test_error_of_the_event_loop_is_a_line_without_transports_and_arguments(
    lines: list[dict[str, Any]],
) -> None:
    first, second = named(lines, "asyncio")

    messages = {first["message"], second["message"]}
    assert messages == {"with a peer", "a callback or task failed"}
    assert "ZeroDivisionError" in (first | second)["exception"]
    assert "203.0.113.7" not in str(lines)
    assert "bytes of a request" not in str(lines)


def test_uncaught_exceptions_are_lines(lines: list[dict[str, Any]]) -> None:
    of_thread, of_process = named(lines, "bentos.uncaught")

    assert "'of a thread'" in of_thread["exception"]
    assert of_process["exception"].endswith("RuntimeError: at the end")
    assert of_process["level"] == "CRITICAL"


def test_process_is_named_by_its_supervisor_if_there_is_one(lines: list[dict[str, Any]]) -> None:
    assert {line["process"] for line in lines} == {"gateway"}
    assert {line["process"] for line in run("error", **{PROCESS: "named"})} == {"named"}


def test_log_goes_to_the_descriptor_of_the_supervisor_if_there_is_one() -> None:
    reader, writer = os.pipe()
    code = "from bentos.logs.setup import configure\nconfigure('json', 'info', process='x')\n1 / 0"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {DESCRIPTOR: str(writer)},
        pass_fds=[writer],
        capture_output=True,
        timeout=120,
    )
    os.close(writer)
    with open(reader) as log:
        (line,) = map(parse, log)

    assert done.stderr == b""
    assert line["exception"].endswith("ZeroDivisionError: division by zero")
