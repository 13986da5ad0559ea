"""Runs a trial as a command: its own service, a table, an exit code."""

import argparse
import sys
import tempfile
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import uvloop

from tests.service.server import Server, serve
from tests.trials.table import Table

Trial = Callable[[Server, float], Awaitable[Table]]


def main(description: str | None, trial: Trial, *, seconds: float) -> None:
    """Runs a trial against its own service."""

    async def alone(length: float) -> Table:
        with tempfile.TemporaryDirectory() as folder, serve(Path(folder)) as server:
            return await trial(server, length)

    run(description, alone, seconds=seconds)


def run(
    description: str | None, trial: Callable[[float], Coroutine[Any, Any, Table]], *, seconds: float
) -> None:
    """Runs a trial for the duration on the command line; exits with 1 if a figure is missed."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=seconds)
    finish(trial(parser.parse_args().seconds))


def finish(trial: Coroutine[Any, Any, Table]) -> None:
    """Runs a trial, saves its table, and exits with 1 if a figure is missed."""
    table = uvloop.run(trial)
    table.write()
    print(table.render())
    sys.exit(not table.met)


def megabytes(server: Server) -> float:
    """Memory of all processes of a service in MB."""
    return server.memory() / 2**20
