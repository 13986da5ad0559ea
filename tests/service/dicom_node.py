"""A really started DICOM node, and an archive that it sends to."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    ComprehensiveSRStorage,
    ComputedRadiographyImageStorage,
    ExplicitVRLittleEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    SecondaryCaptureImageStorage,
)
from pynetdicom import AE, evt
from pynetdicom.association import Association

from loadtests.load_generator import free_port
from tests.conftest import ROOT
from tests.waiting import until

OURS, PACS, ARCHIVE = "CHESTXRAY", "PACS", "ARCHIVE"
RESULTS = (
    ComprehensiveSRStorage,
    SecondaryCaptureImageStorage,
    GrayscaleSoftcopyPresentationStateStorage,
)
VERIFICATION = UID("1.2.840.10008.1.1")


@dataclass
class Archive:
    """A storage SCP that keeps what it is sent in memory, without pixels."""

    port: int
    received: list[Dataset] = field(default_factory=list)
    status: int = 0
    """Its answer to each object."""

    def store(self, event: evt.Event) -> int:
        if self.status == 0:
            received = event.dataset
            received.pop("PixelData", None)
            self.received.append(received)
        return self.status

    @property
    def of_classes(self) -> list[UID]:
        return sorted(each.SOPClassUID for each in self.received)


@contextmanager
def archive(
    port: int = 0, *, classes: tuple[UID, ...] = RESULTS, status: int = 0
) -> Iterator[Archive]:
    """An archive on a free port, or on this one."""
    entity, made = AE(ARCHIVE), Archive(port or free_port(), status=status)
    for each in classes:
        entity.add_supported_context(each, ExplicitVRLittleEndian)
    handlers: list[Any] = [(evt.EVT_C_STORE, made.store)]
    server = entity.start_server(("127.0.0.1", made.port), block=False, evt_handlers=handlers)
    assert server is not None
    try:
        yield made
    finally:
        entity.shutdown()


@dataclass(frozen=True)
class Node:
    """A running node."""

    port: int
    queue: Path
    log: Path
    process: "subprocess.Popen[bytes]"
    metrics_port: int

    def waiting(self) -> int:
        """Objects that are still to be analysed, or sent."""
        return len({each.stem for part in ("waiting", "outbox") for each in self._in(part)})

    def _in(self, part: str) -> list[Path]:
        return list((self.queue / part).glob("*"))

    def failed(self) -> list[Path]:
        return sorted(self.queue.glob("failed/*"))

    def metrics(self) -> str:
        return httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics").text

    def is_listening(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return "listens on port" in self.log.read_text()


@contextmanager
def node(
    folder: Path, service: str, destination: str, *, port: int = 0, **settings: str
) -> Iterator[Node]:
    """Starts a node, waits until it listens, and stops it by its pid."""
    made = start(folder, service, destination, port=port, **settings)
    try:
        until(made.is_listening)
        yield made
    finally:
        made.process.send_signal(signal.SIGTERM)
        try:
            made.process.wait(30)
        finally:
            made.process.kill()
            made.process.wait()


def start(folder: Path, service: str, destination: str, *, port: int = 0, **settings: str) -> Node:
    """Starts a node without waiting."""
    queue, log = folder / "queue", folder / "node.log"
    environment = {
        "CHESTXRAY_DICOM_QUEUE": str(queue),
        "CHESTXRAY_DICOM_SERVICE": service,
        "CHESTXRAY_DICOM_DESTINATION": destination,
        "CHESTXRAY_DICOM_PEERS": f'["{PACS}@127.0.0.1"]',
        "CHESTXRAY_DRAIN_TIMEOUT_SECONDS": "30",
    }
    port, metrics_port = port or free_port(), free_port()
    ports = ("--port", str(port), "--metrics-port", str(metrics_port))
    log.unlink(missing_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "bentos.cli", "dicom", *ports],
            cwd=ROOT,
            env=os.environ | environment | settings,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return Node(port, queue, log, process, metrics_port)


def to(archive: Archive) -> str:
    """The archive as a destination."""
    return f"dicom://{ARCHIVE}@127.0.0.1:{archive.port}"


@contextmanager
def associated(
    port: int, *, calling: str = PACS, called: str = OURS, tls: Any = None, **timeouts: float
) -> Iterator[Association]:
    """An association with the node, established or not."""
    entity = AE(calling)
    for name, seconds in timeouts.items():
        setattr(entity, name, seconds)
    for storage in (VERIFICATION, ComputedRadiographyImageStorage, *RESULTS):
        entity.add_requested_context(storage, ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", port, ae_title=called, tls_args=tls)
    try:
        yield association
    finally:
        if association.is_established:
            association.release()
        if association.is_alive():
            association.join(10)
        connection = association.dul.socket
        if connection and connection.socket:  # left to the garbage collector by pynetdicom
            connection.socket.close()


def status_of(association: Association, file: bytes) -> int:
    """The status of the C-STORE of a file."""
    answer = association.send_c_store(pydicom.dcmread(io.BytesIO(file)))
    return int(answer.Status)


def send(port: int, *files: bytes) -> list[int]:
    """Stores files in one association; returns their statuses."""
    with associated(port) as association:
        assert association.is_established
        return [status_of(association, each) for each in files]


def settle(seconds: float = 1.0) -> None:
    """Waits, where something must not happen."""
    time.sleep(seconds)
