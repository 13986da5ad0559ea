"""Probes of the DICOM node's port as load balancers make them, for an hour: nothing may grow.

    python -m tests.trials.probes --minutes 60

Each second one of three, in turn: a connection that is closed at once, one that sends a few bytes
and is then left to the node, and an association with a C-ECHO. Threads, open files and memory of
the node after the first sixth are compared with those at the end. The service starts after the last
probe, and the node must then store and answer an object.
"""

import argparse
import contextlib
import itertools
import select
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psutil

from loadtests.load_generator import free_port
from tests import results_in_study
from tests.service import passing
from tests.service.dicom_node import Archive, Node, archive, associated, node, send, to
from tests.service.server import serve
from tests.trials.table import Table
from tests.waiting import until

MOST_GROWTH = 0.03
"""Of memory. A kilobyte kept for each probe of an hour were more than this."""
MORE_THREADS, MORE_FILES = 3, 3
"""One connection that is never given up has three threads and a file."""
SETTLING = 1 / 6
_INTERVAL_SECONDS = 1.0
_SAMPLES = 60
_LONGEST_TIMEOUT_SECONDS = 30.0
"""The default. Shorter in a short trial, which otherwise ends before the first is reached."""
_CLOSING_SECONDS = 5.0
"""Within this time after its timeout the node has closed a connection."""
_FEW_BYTES = b"\x01\x00\x00"
"""The beginning of an A-ASSOCIATE-RQ, less than the header of a PDU."""
_PER_OBJECT = 3
_PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Sample:
    """What the processes of the node have."""

    threads: int
    files: int
    memory: int


@dataclass
class Prober:
    """Probes a port, and counts what became of it."""

    port: int
    closed: int = 0
    refused: int = 0
    echoes: int = 0
    answered: int = 0
    half_open: dict[socket.socket, float] = field(default_factory=dict)
    seconds_until_closed: list[float] = field(default_factory=list)

    def connect_and_close(self) -> None:
        """Opens a connection and closes it."""
        if connection := self._connect():
            connection.close()
            self.closed += 1

    def leave_half_open(self) -> None:
        """Opens a connection, sends a few bytes, and leaves it."""
        if connection := self._connect():
            self.half_open[connection] = time.monotonic()
            with contextlib.suppress(OSError):
                connection.sendall(_FEW_BYTES)

    def echo(self) -> None:
        """Verifies as an SCU does."""
        self.echoes += 1
        with associated(self.port, acse_timeout=10, dimse_timeout=10) as association:
            if association.is_established:
                self.answered += association.send_c_echo().get("Status") == 0

    def look(self) -> None:
        """Notes which connections the node has closed."""
        ready, _, _ = select.select(list(self.half_open), [], [], 0)
        for connection in ready:
            self.seconds_until_closed.append(time.monotonic() - self.half_open.pop(connection))
            connection.close()

    def close(self) -> None:
        """Closes what the node has not closed."""
        for connection in self.half_open:
            connection.close()

    def kept_for(self, seconds: float) -> int:
        """Counts the connections that the node has kept for longer."""
        now = time.monotonic()
        return sum(now - opened > seconds for opened in self.half_open.values())

    def _connect(self) -> socket.socket | None:
        try:
            return socket.create_connection(("127.0.0.1", self.port), timeout=5)
        except OSError:
            self.refused += 1
            return None


def sample(pid: int) -> Sample:
    """Counts what the processes of a node have."""
    root = psutil.Process(pid)
    threads = files = memory = 0
    for process in (root, *root.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            threads += process.num_threads()
            files += process.num_fds()
            memory += process.memory_info().rss
    return Sample(threads, files, memory)


def trial(seconds: float) -> Table:
    """Probes a node, and has it answer an object at the end."""
    timeout = min(_LONGEST_TIMEOUT_SECONDS, seconds / 10)
    settings = {"CHESTXRAY_DICOM_TIMEOUT_SECONDS": str(timeout)}
    with tempfile.TemporaryDirectory() as name, archive() as store:
        folder, port = Path(name), free_port()
        with node(folder, f"http://127.0.0.1:{port}", to(store), **settings) as made:
            prober = Prober(made.port)
            samples = _probe(prober, made, seconds)
            longest = timeout + _CLOSING_SECONDS
            kept = prober.kept_for(longest)
            answered = _answers(made, store, folder, port)
            prober.close()
    table = Table("probes", f"{seconds:.0f} s of one probe a second, timeout of {timeout:g} s.")
    _add_probes(table, prober, kept, longest)
    _add_growth(table, samples)
    table.add("object stored and answered at the end", answered, "True", met=answered)
    return table


def _probe(prober: Prober, made: Node, seconds: float) -> list[Sample]:
    kinds = itertools.cycle((prober.connect_and_close, prober.leave_half_open, prober.echo))
    began = time.monotonic()
    samples: list[Sample] = []
    for number in range(round(seconds / _INTERVAL_SECONDS)):
        time.sleep(max(0.0, began + number * _INTERVAL_SECONDS - time.monotonic()))
        next(kinds)()
        prober.look()
        if time.monotonic() - began >= len(samples) * seconds / _SAMPLES:
            samples.append(sample(made.process.pid))
    return samples


def _answers(made: Node, store: Archive, folder: Path, port: int) -> bool:
    filters = {"CHESTXRAY_FILTER_CHECKPOINT": str(passing.write_filter(folder))}
    with serve(folder, port=port, **filters):
        if send(made.port, results_in_study.film()) != [0]:
            return False
        try:
            until(lambda: len(store.received) == _PER_OBJECT, seconds=_PATIENCE_SECONDS)
        except AssertionError:
            return False
    return True


def _add_probes(table: Table, prober: Prober, kept: int, longest: float) -> None:
    table.add("connections closed at once", prober.closed)
    table.add("connections refused", prober.refused, "0", met=prober.refused == 0)
    echoes, answered = prober.echoes, prober.answered
    table.add("C-ECHOs answered", answered, str(echoes), met=answered == echoes)
    table.add("half-open connections closed by the node", len(prober.seconds_until_closed))
    table.add("kept for longer than they should", kept, "0", met=kept == 0)
    slowest = max(prober.seconds_until_closed, default=0.0)
    table.add(
        "closed after, s at most", slowest, f"<= {longest:g}", met=slowest <= longest, timed=True
    )


def _add_growth(table: Table, samples: list[Sample]) -> None:
    part = max(1, round(len(samples) * SETTLING))
    early, late = samples[part : 2 * part], samples[-part:]

    def medians(figure: Callable[[Sample], int]) -> tuple[float, float]:
        return _median(map(figure, early)), _median(map(figure, late))

    before, after = medians(lambda each: each.threads)
    met = after - before <= MORE_THREADS
    table.add("threads", f"{before:g} -> {after:g}", f"<= {MORE_THREADS} more", met=met)
    before, after = medians(lambda each: each.files)
    met = after - before <= MORE_FILES
    table.add("open files", f"{before:g} -> {after:g}", f"<= {MORE_FILES} more", met=met)
    before, after = medians(lambda each: each.memory)
    growth = after / before - 1
    table.add("resident memory, MB", f"{before / 2**20:.1f} -> {after / 2**20:.1f}")
    table.add("growth of it", f"{growth:+.2%}", f"< {MOST_GROWTH:.0%}", met=growth < MOST_GROWTH)


def _median(figures: Iterable[int]) -> float:
    return float(median(figures))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60.0)
    table = trial(60 * parser.parse_args().minutes)
    table.write()
    print(table.render())
    sys.exit(not table.met)
