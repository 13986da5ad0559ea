"""Receivers of webhooks on loopback: real TLS, with a certificate made for the test."""

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address, ip_network
from pathlib import Path
from random import randint
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from standardwebhooks.webhooks import Webhook

NAME = "hospital.example"
PORT = 8443
LOOPBACK = ip_network("127.0.0.0/8")


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    def verified(self, secret: str) -> dict[str, Any]:
        """Its JSON, verified as the convention's own library does it."""
        found: dict[str, Any] = Webhook(secret).verify(self.body, self.headers)
        return found


@dataclass
class Receiver:
    """What a receiver got, and how it answers."""

    address: str
    certificate: Path
    received: list[Received] = field(default_factory=list)
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0
    """Before it answers."""

    @property
    def url(self) -> str:
        """By its name."""
        return f"https://{NAME}:{PORT}/hook?of=chestxray"

    @property
    def literal_url(self) -> str:
        """By its address."""
        return f"https://{self.address}:{PORT}/hook"

    @property
    def tls(self) -> ssl.SSLContext:
        """Trusts this receiver alone."""
        return ssl.create_default_context(cafile=self.certificate)

    async def resolve(self, host: str, port: int) -> list[str]:
        """Knows one name."""
        if host != NAME:
            raise OSError("no such name")
        return [self.address]

    @property
    def ids(self) -> list[str]:
        """The webhook-id of each request."""
        return [each.headers["webhook-id"] for each in self.received]


@contextmanager
def receiver(folder: Path) -> Iterator[Receiver]:
    """Starts a receiver at a loopback address of its own."""
    server, address = _bind()
    made = Receiver(address, folder / f"{address}.pem")
    key = folder / f"{address}.key"
    _write_certificate(made.certificate, key, IPv4Address(address))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, key)
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    server.receiver = made  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that are refused, or that give up, are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        made: Receiver = self.server.receiver  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        made.received.append(Received(self.path, headers, body))
        time.sleep(made.seconds)
        self.send_response(made.status)
        for name, value in made.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(made.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the terminal."""


def _bind() -> tuple[_Server, str]:
    """All receivers have the port that is allowed; another process may have an address already."""
    while True:
        address = f"127.{randint(1, 254)}.{randint(1, 254)}.{randint(2, 254)}"
        try:
            return _Server((address, PORT), _Handler), address
        except OSError:
            continue


def _write_certificate(file: Path, key_file: Path, address: IPv4Address) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, str(address))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(NAME), x509.IPAddress(address)]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(True, False, False, False, False, True, False, False, False),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
