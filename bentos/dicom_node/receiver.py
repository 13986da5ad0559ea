"""Receives DICOM objects: verification (C-ECHO) and storage (C-STORE) as SCP.

A C-STORE is answered with success when the object is in the queue, on the disk. What an aborted
association has been told so about stays there.
"""

import io
import logging
import ssl
import time
from threading import Thread
from typing import Any

import pydicom.uid as uids
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pynetdicom import AE, _config, evt
from pynetdicom.events import Event

from bentos.dicom_node.connections import BoundedSocket, Connections, Server
from bentos.dicom_node.metrics import Metrics, Receipt
from bentos.dicom_node.queue import Queue, QueueFull
from bentos.http.client_address import is_trusted
from bentos.settings import Settings
from chestxray.dicom import examination, syntaxes
from chestxray.dicom.storage import Status
from chestxray.dicom.study.equipment import MANUFACTURER

logger = logging.getLogger(__name__)

_TITLE_UNKNOWN = (0x01, 0x01, 0x03)
"""Rejected for good, by the service user: calling AE title not recognised (PS3.8, 9.3.4)."""
_VERIFICATION = "1.2.840.10008.1.1"
_MESSAGE_OVERHEAD_BYTES = 2**20
"""Commands and headers of PDUs around an object, in addition to the limit on its size."""
_HEADER_BYTES = 2**16
"""The manufacturer is within so many bytes, or the object is taken for another's."""
_MANUFACTURER = BaseTag(0x00080070)
_POLL_SECONDS = 0.1
_ABORT_SECONDS = 1.0


class Receiver:
    """The SCP. Raises OSError if the port is taken, or a file of TLS cannot be read."""

    def __init__(
        self, settings: Settings, queue: Queue, metrics: Metrics, *, host: str, port: int
    ) -> None:
        _config.LOG_HANDLER_LEVEL = "none"  # its own handlers describe every PDU
        self._peers, self._queue, self._metrics = settings.peers, queue, metrics
        self._entity = _entity(settings)
        self._server = self._entity.make_server(
            (host, port),
            evt_handlers=[
                (evt.EVT_REQUESTED, self._check_title),
                (evt.EVT_C_ECHO, self._echo),
                (evt.EVT_C_STORE, self._store),
            ],
            server_class=Server,
            connections=Connections(settings.peers, most=settings.dicom_max_associations),
            tls=_tls(settings),
            timeout=settings.dicom_timeout_seconds,
            max_message_bytes=settings.max_image_bytes + _MESSAGE_OVERHEAD_BYTES,
        )
        self._entity._servers.append(self._server)  # as start_server does
        self._thread = Thread(target=self._server.serve_forever, name="dicom", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port, where any was asked for."""
        return int(self._server.server_address[1])

    def close(self, seconds: float) -> None:
        """Refuses connections, lets associations end for some seconds, and aborts the others."""
        self._server.shutdown()
        end = time.monotonic() + seconds
        while self._entity.active_associations and time.monotonic() < end:
            time.sleep(_POLL_SECONDS)
        aborting = Thread(target=self._entity.shutdown, daemon=True)  # waits for silent peers
        aborting.start()
        aborting.join(_ABORT_SECONDS)

    def _check_title(self, event: Event) -> None:
        """Rejects an association unless a peer of this title may call from this address."""
        requestor = event.assoc.requestor
        title = requestor.primitive.calling_ae_title if requestor.primitive else ""
        address = requestor.address or ""
        if not any(p.admits(title) and is_trusted(address, p.networks) for p in self._peers):
            logger.info("an association was rejected: unknown AE title for its address")
            self._metrics.rejected.inc()
            event.assoc.acse.send_reject(*_TITLE_UNKNOWN)
            event.assoc.kill()

    def _echo(self, event: Event) -> int:
        _begin_message(event)
        return Status.STORED

    def _store(self, event: Event) -> int | Dataset:
        _begin_message(event)
        receipt, status = self._receive(event)
        self._metrics.received.labels(receipt).inc()
        return status

    def _receive(self, event: Event) -> tuple[Receipt, int | Dataset]:
        if _is_own(event):
            text = f"a result of {MANUFACTURER} itself"
            return Receipt.OWN, _status(Status.CANNOT_UNDERSTAND, text)
        try:
            self._queue.put(event.encoded_dataset())
        except QueueFull:
            return Receipt.FULL, _status(Status.OUT_OF_RESOURCES, "the queue is full")
        except OSError:
            logger.exception("an object could not be stored")
            return Receipt.FAILED, _status(Status.OUT_OF_RESOURCES, "the queue cannot be written")
        return Receipt.STORED, Status.STORED


def _entity(settings: Settings) -> AE:
    entity = AE(settings.dicom_ae_title)
    entity.require_called_aet = True
    entity.maximum_associations = settings.dicom_max_associations
    entity.acse_timeout = entity.dimse_timeout = settings.dicom_timeout_seconds
    entity.network_timeout = settings.dicom_timeout_seconds
    entity.add_supported_context(_VERIFICATION)
    for storage in examination.RADIOGRAPHS:
        entity.add_supported_context(storage, list(syntaxes.READ))
    if settings.secondary_captures:
        entity.add_supported_context(uids.SecondaryCaptureImageStorage, list(syntaxes.READ))
    return entity


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if not settings.dicom_tls_certificate:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # PS3.15, B.12: BCP 195
    context.load_cert_chain(settings.dicom_tls_certificate, settings.dicom_tls_key)
    if settings.dicom_tls_ca:
        context.load_verify_locations(settings.dicom_tls_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _begin_message(event: Event) -> None:
    connection = event.assoc.dul.socket
    if isinstance(connection, BoundedSocket):
        connection.begin_message()


def _is_own(event: Event) -> bool:
    """Whether the manufacturer is ours; reads no further than that element."""
    syntax = uids.UID(event.context.transfer_syntax)
    if syntax.is_deflated:  # the service inflates it within limits, and refuses it then
        return False
    header = io.BytesIO(event.encoded_dataset(include_meta=False)[:_HEADER_BYTES])
    try:
        found = read_dataset(
            header,
            syntax.is_implicit_VR,
            syntax.is_little_endian,
            stop_when=lambda tag, *_: tag > _MANUFACTURER,
        )
        return examination.is_own(found)
    except Exception:  # anything can be wrong with a stranger's header; the service will say what
        return False


def _status(code: int, comment: str) -> Dataset:
    status: Any = Dataset()
    status.Status, status.ErrorComment = code, comment
    return status  # type: ignore[no-any-return]
