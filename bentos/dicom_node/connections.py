"""The port of the DICOM node: who may connect, how often, and how much a peer may send at once.

pynetdicom reads as many bytes as a peer announces, waits for the rest of a message without end, and
makes the TLS handshake in the thread that accepts connections, where one silent peer would hold up
all others. Hence a server and a socket of our own.
"""

import logging
import socket
import ssl
import time
from collections import Counter
from collections.abc import Sequence
from threading import Lock
from typing import Any

from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from bentos.dicom_settings import Peer
from bentos.http.client_address import is_trusted, subscriber

logger = logging.getLogger(__name__)

_MAX_PDU_BYTES = 2**20
"""A request for an association with every possible context has less; data are negotiated lower."""
_CHUNK_BYTES = 2**16
_SHARE = 2
"""One address may hold this part of the connections."""
_SPARE = 2
"""Connections for each association: those over the limit are told so in an A-ASSOCIATE-RJ."""


class Connections:
    """Counts open connections, in all and from each address; thread-safe."""

    def __init__(self, peers: Sequence[Peer], *, most: int) -> None:
        self._networks = [network for peer in peers for network in peer.networks]
        self._most, self._open, self._lock = most * _SPARE, Counter[str](), Lock()

    def open(self, address: str) -> bool:
        """Counts a connection, unless its address is not allowed or has too many."""
        caller = subscriber(address)
        with self._lock:
            allowed = (
                is_trusted(address, self._networks)
                and self._open.total() < self._most
                and self._open[caller] < max(1, self._most // _SHARE)
            )
            self._open[caller] += allowed
            return allowed

    def close(self, address: str) -> None:
        """Counts the end of a connection."""
        caller = subscriber(address)
        with self._lock:
            self._open[caller] -= 1
            if not self._open[caller]:
                del self._open[caller]


class Server(ThreadedAssociationServer):
    """Accepts connections, with a thread for each."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self,
        *arguments: Any,
        connections: Connections,
        tls: ssl.SSLContext | None,
        timeout: float,
        max_message_bytes: int,
        **options: Any,
    ) -> None:
        self._connections, self._tls = connections, tls
        self.silence, self.max_message_bytes = timeout, max_message_bytes
        super().__init__(*arguments, **options)
        self.RequestHandlerClass = _Handler

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether the connection is used; otherwise it is closed."""
        return self._connections.open(client_address[0])

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serves a connection until its end."""
        try:
            request.settimeout(self.silence)
            if self._tls:
                request = self._tls.wrap_socket(request, server_side=True)
            self.finish_request(request, client_address)
        except OSError as error:  # an SSLError, too
            logger.info("a connection failed before its association: %s", type(error).__name__)
            self.shutdown_request(request)
        finally:
            self._connections.close(client_address[0])


class BoundedSocket(AssociationSocket):
    """A connection whose peer sends PDUs and messages of limited size, in limited time."""

    def __init__(self, association: Association, client: socket.socket, server: Server) -> None:
        super().__init__(association, client_socket=client)
        self._seconds, self._max_message_bytes = server.silence, server.max_message_bytes
        self._message_bytes = 0

    def begin_message(self) -> None:
        """The next bytes belong to another message."""
        self._message_bytes = 0

    def recv(self, nr_bytes: int) -> bytearray:
        """Reads so many bytes, or fewer at the end of the connection. Raises OSError."""
        received = bytearray()
        try:
            self._receive(received, nr_bytes)
        finally:
            if len(received) < nr_bytes and self.assoc.requestor.primitive is None:
                # pynetdicom would wait for the request of an association until its timeout: probes
                # of the port, one a second, would take all connections.
                self.assoc.dul.to_user_queue.put(None)  # type: ignore[arg-type]
        return received

    def _receive(self, received: bytearray, count: int) -> None:
        self._message_bytes += count
        if count > _MAX_PDU_BYTES or self._message_bytes > self._max_message_bytes:
            raise OSError("the peer sends more than is allowed")
        end = time.monotonic() + self._seconds
        while self.socket and len(received) < count:
            chunk = self.socket.recv(min(_CHUNK_BYTES, count - len(received)))
            if not chunk:
                return
            received += chunk
            if time.monotonic() > end:
                raise TimeoutError("the peer sends too slowly")


class _Handler(RequestHandler):
    """Runs the association of a connection."""

    server: Server

    def handle(self) -> None:
        """Returns when the association has ended."""
        association = self._create_association()
        association.dul.event_queue.get_nowait()  # the socket that is replaced has announced itself
        association.dul.socket = BoundedSocket(association, self.request, self.server)
        evt.trigger(association, evt.EVT_CONN_OPEN, {"address": self.client_address})
        association.start()
        association.join()
