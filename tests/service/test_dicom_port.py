"""Who may connect to the DICOM node, and what strangers can do to its port: nothing to others."""

import io
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pydicom
import pytest

from tests import dicoms
from tests.results_in_study import IN_A_STUDY
from tests.service.dicom_node import Archive, Node, associated, node, to
from tests.service.server import Server
from tests.waiting import until

QUICK = {"CHESTXRAY_DICOM_TIMEOUT_SECONDS": "1"}


def test_verification_succeeds(running: Node) -> None:
    with associated(running.port) as association:
        assert association.send_c_echo().Status == 0


@pytest.mark.parametrize(
    ("calling", "called"), [("STRANGER", "CHESTXRAY"), ("PACS", "ANOTHER")], ids=["who", "whom"]
)
def test_unknown_title_is_rejected(running: Node, calling: str, called: str) -> None:
    with associated(running.port, calling=calling, called=called) as association:
        assert association.is_rejected


def test_known_title_from_another_address_is_not_heard(
    tmp_path: Path, open_server: Server, store: Archive
) -> None:
    setting = {"CHESTXRAY_DICOM_PEERS": '["PACS@192.0.2.0/24"]'}
    with node(tmp_path, open_server.url, to(store), **setting) as made:
        with associated(made.port) as association:
            assert not association.is_established
        assert made.process.poll() is None


@pytest.fixture
def impatient(tmp_path: Path, open_server: Server, store: Archive) -> Iterator[Node]:
    with node(tmp_path, open_server.url, to(store), **QUICK) as made:
        yield made


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x01\x00\xff\xff\xff\xff" + bytes(100),
        b"\x01\x00\x00\x00\x00\xff" + bytes(10),
        b"\x04\x00\x00\x00\x00\x10" + bytes(16),
        b"\x09\x00\x00\x00\x00\x00",
    ],
    ids=["silent", "http", "four gigabytes", "half a request", "data first", "unknown"],
)
def test_connection_that_is_no_association_ends_and_disturbs_nobody(
    impatient: Node, sent: bytes
) -> None:
    process = psutil.Process(impatient.process.pid)
    before = process.num_threads()
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", impatient.port), timeout=10) as connection:
            connection.sendall(sent)
            while connection.recv(4096):
                pass
    with associated(impatient.port) as association:
        assert association.send_c_echo().Status == 0

    until(lambda: process.num_threads() <= before)


def test_message_without_end_is_cut_off(
    tmp_path: Path, open_server: Server, store: Archive
) -> None:
    setting = {"CHESTXRAY_MAX_IMAGE_BYTES": "200000"}
    with node(tmp_path, open_server.url, to(store), **setting) as made:
        memory = psutil.Process(made.process.pid).memory_info().rss
        large = dicoms.film(np.zeros((4000, 4000), np.uint16), **IN_A_STUDY)
        with associated(made.port) as association:
            answer = association.send_c_store(pydicom.dcmread(io.BytesIO(large)))
            assert "Status" not in answer
        assert psutil.Process(made.process.pid).memory_info().rss < memory + 20 * 2**20
        assert made.waiting() == 0


def test_one_address_cannot_take_all_connections_and_they_come_back(impatient: Node) -> None:
    crowd = [socket.create_connection(("127.0.0.1", impatient.port)) for _ in range(60)]
    until(lambda: _echo_succeeds(impatient.port))
    for each in crowd:
        each.close()
    for _ in range(40):
        assert _echo_succeeds(impatient.port)


def _echo_succeeds(port: int) -> bool:
    with associated(port) as association:
        return association.is_established and association.send_c_echo().Status == 0


def test_connection_that_is_closed_before_its_request_is_forgotten_at_once(running: Node) -> None:
    """Or a load balancer that looks every second would take all connections."""
    process = psutil.Process(running.process.pid)
    before = process.num_threads()
    for _ in range(10):
        socket.create_connection(("127.0.0.1", running.port)).close()

    until(lambda: _echo_succeeds(running.port))  # so all before it have been accepted
    until(lambda: process.num_threads() <= before, seconds=5)


def test_signal_to_stop_is_heard_whatever_thread_the_kernel_gives_it_to(
    tmp_path: Path, open_server: Server, store: Archive
) -> None:
    """A handler would run in the main thread only, which may sleep on: several in ten did."""
    for _ in range(6):
        with node(tmp_path, open_server.url, to(store)) as made:
            for _ in range(10):
                socket.create_connection(("127.0.0.1", made.port)).close()
            made.process.send_signal(signal.SIGTERM)
            assert made.process.wait(10) == 0


def test_port_probes_leave_no_thread_file_or_memory(running: Node) -> None:
    """Load balancers and kubelets connect every second, and close again."""
    process = psutil.Process(running.process.pid)

    def probe(times: int) -> None:
        for _ in range(times):
            socket.create_connection(("127.0.0.1", running.port)).close()
        until(lambda: _echo_succeeds(running.port))  # those of one address are limited

    probe(200)
    until(lambda: process.num_threads() < 15)
    threads, files, memory = process.num_threads(), process.num_fds(), process.memory_info().rss
    probe(600)
    until(lambda: process.num_threads() <= threads and process.num_fds() <= files)

    assert process.memory_info().rss < memory + 4 * 2**20


@pytest.fixture
def certificate(tmp_path: Path) -> dict[str, str]:
    """A self-signed certificate of this machine with its key."""
    key, chain = tmp_path / "key.pem", tmp_path / "certificate.pem"
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *name]
    subprocess.run([*command, "-keyout", key, "-out", chain], check=True, capture_output=True)
    return {
        "CHESTXRAY_DICOM_TLS_CERTIFICATE": str(chain),
        "CHESTXRAY_DICOM_TLS_KEY": str(key),
        "CHESTXRAY_DICOM_TLS_CA": str(chain),
    }


def test_peers_need_a_certificate_where_tls_is_set(
    tmp_path: Path, open_server: Server, store: Archive, certificate: dict[str, str]
) -> None:
    chain, key = (certificate[f"CHESTXRAY_DICOM_TLS_{name}"] for name in ("CERTIFICATE", "KEY"))
    stranger = ssl.create_default_context(cafile=chain)
    stranger.check_hostname = False
    known = ssl.create_default_context(cafile=chain)
    known.check_hostname = False
    known.load_cert_chain(chain, key)
    with node(tmp_path, open_server.url, to(store), **certificate, **QUICK) as made:
        silent = [socket.create_connection(("127.0.0.1", made.port)) for _ in range(3)]
        with associated(made.port, tls=(known, "127.0.0.1")) as association:
            assert association.send_c_echo().Status == 0
        with associated(made.port, tls=(stranger, "127.0.0.1")) as association:
            assert not association.is_established
        with associated(made.port) as association:
            assert not association.is_established
        for each in silent:
            each.close()
