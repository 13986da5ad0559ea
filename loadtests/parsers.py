"""Measures the CPU time per request of a server with h11 and with httptools.

    python -m loadtests.parsers

A trivial application answers requests on one keep-alive connection. The parsers alternate; prints
the minimum of each, in milliseconds. The gateway uses h11 (SECURITY.md).
"""

import http.client
import subprocess
import sys
import time
from typing import Any

import psutil

from loadtests.load_generator import free_port
from loadtests.servers import ROOT

PARSERS = ("h11", "httptools")
REQUESTS: dict[str, tuple[int, bytes]] = {"GET": (3000, b""), "POST": (600, bytes(300_000))}
"""Number of requests and body, by method."""
_REPEATS = 4
_CONNECT_SECONDS = 20.0


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """ASGI application that reads the body and responds with two bytes."""
    while (await receive()).get("more_body"):
        pass
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
    )
    await send({"type": "http.response.body", "body": b"ok"})


def milliseconds(parser: str, method: str) -> float:
    """CPU time of the server per request."""
    count, body = REQUESTS[method]
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "loadtests.parsers:answer", "--http", parser]
    command += ["--port", str(port), "--lifespan", "off", "--log-level", "error"]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        connection = _connect(port)
        _ask(connection, method, body, 50)  # warm-up
        before = _spent(process.pid)
        _ask(connection, method, body, count)
        spent = _spent(process.pid) - before
    finally:
        process.kill()
        process.wait()
    return 1000 * spent / count


def _connect(port: int) -> http.client.HTTPConnection:
    """Waits for the server. Raises ConnectionRefusedError if it does not start."""
    stop = time.monotonic() + _CONNECT_SECONDS
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_CONNECT_SECONDS)
        try:
            connection.connect()
        except ConnectionRefusedError:
            if time.monotonic() > stop:
                raise
            time.sleep(0.05)
        else:
            return connection


def _ask(connection: http.client.HTTPConnection, method: str, body: bytes, count: int) -> None:
    for _ in range(count):
        connection.request(method, "/", body or None)
        connection.getresponse().read()


def _spent(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def main() -> None:
    """Prints a line per method."""
    started = time.monotonic()
    for method, (count, body) in REQUESTS.items():
        found = {parser: float("inf") for parser in PARSERS}
        for _ in range(_REPEATS):
            for parser in PARSERS:
                found[parser] = min(found[parser], milliseconds(parser, method))
        costs = ", ".join(f"{parser} {cost:.3f} ms" for parser, cost in found.items())
        print(f"{count} {method} of {len(body)} bytes: {costs}", flush=True)
    print(f"in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
