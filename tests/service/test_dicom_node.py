"""`chestxray dicom`: a PACS sends radiographs, and gets results into their studies."""

import io
import json
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pydicom
import pytest
from pydicom.uid import ComputedRadiographyImageStorage, SecondaryCaptureImageStorage, generate_uid

from chestxray.dicom.study.equipment import MANUFACTURER
from loadtests.load_generator import free_port
from tests import dicoms
from tests.phantoms import phantom
from tests.results_in_study import IN_A_STUDY
from tests.service import dicom_node
from tests.service.dicom_node import (
    ARCHIVE,
    RESULTS,
    VERIFICATION,
    Archive,
    Node,
    archive,
    associated,
    node,
    send,
    settle,
    status_of,
    to,
)
from tests.service.server import Server
from tests.waiting import until

OUT_OF_RESOURCES, CANNOT_UNDERSTAND = 0xA700, 0xC000
QUICK = {"CHESTXRAY_DICOM_TIMEOUT_SECONDS": "1"}


def film(**elements: Any) -> bytes:
    """A radiograph of its own study, unlike any other."""
    pixels = phantom(400, 480).astype(np.uint16) * 16
    uids = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid()}
    return dicoms.film(pixels, **{**IN_A_STUDY, **uids, **elements})


@pytest.fixture
def store() -> Iterator[Archive]:
    with archive() as made:
        yield made


@pytest.fixture
def running(tmp_path: Path, open_server: Server, store: Archive) -> Iterator[Node]:
    with node(tmp_path, open_server.url, to(store)) as made:
        yield made


def test_verification_succeeds(running: Node) -> None:
    with associated(running.port) as association:
        assert association.send_c_echo().Status == 0


def test_radiograph_gets_all_results_in_its_study(running: Node, store: Archive) -> None:
    study = generate_uid()
    assert send(running.port, film(StudyInstanceUID=study)) == [0]
    until(lambda: len(store.received) == 3 and not running.waiting())

    assert store.of_classes == sorted(RESULTS)
    for each in store.received:
        assert each.StudyInstanceUID == study
        assert each.PatientID == IN_A_STUDY["PatientID"]
        assert each.AccessionNumber == IN_A_STUDY["AccessionNumber"]
    assert running.failed() == []
    assert 'objects_processed_total{result="answered"} 1.0' in running.metrics()


def test_nothing_of_a_patient_is_logged_or_left(running: Node, store: Archive) -> None:
    send(running.port, film(PatientID="SECRET-4711", PatientName="Secret^Name"))
    until(lambda: len(store.received) == 3 and not running.waiting())

    assert "SECRET" not in running.log.read_text().upper()
    left = [each for each in running.queue.rglob("*") if each.is_file()]
    assert all(b"SECRET" not in each.read_bytes().upper() for each in left)


def test_results_have_the_language_of_the_setting(
    tmp_path: Path, open_server: Server, store: Archive
) -> None:
    setting = {"CHESTXRAY_DICOM_LANGUAGE": "pt-BR"}
    with node(tmp_path, open_server.url, to(store), **setting) as made:
        send(made.port, film())
        until(lambda: len(store.received) == 3)

    report = next(each for each in store.received if each.SOPClassUID == RESULTS[0])
    assert "pt-BR" in str(report)


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


def test_own_results_are_refused_by_class_and_by_manufacturer(
    running: Node, store: Archive
) -> None:
    capture = film(SOPClassUID=SecondaryCaptureImageStorage, Manufacturer=MANUFACTURER)
    own = film(Manufacturer=f"{MANUFACTURER.upper()} ")
    with associated(running.port) as association:
        accepted = {each.abstract_syntax for each in association.accepted_contexts}
        assert accepted == {
            VERIFICATION, ComputedRadiographyImageStorage, SecondaryCaptureImageStorage,
        }  # fmt: skip
        for each in (capture, own):
            assert status_of(association, each) == CANNOT_UNDERSTAND
    settle()

    assert store.received == []
    assert [
        each for each in running.queue.rglob("*") if each.is_file() and each.stem != "lock"
    ] == []


def test_image_that_the_service_refuses_is_deleted_and_its_reason_kept(
    running: Node, store: Archive
) -> None:
    assert send(running.port, film(BodyPartExamined="HAND")) == [0]
    until(running.failed)
    until(lambda: not running.waiting())

    (reason,) = running.failed()
    assert json.loads(reason.read_text())["code"] == "other-examination"
    assert store.received == []


def test_object_that_is_sent_again_is_answered_once(running: Node, store: Archive) -> None:
    once = film()
    for _ in range(3):
        assert send(running.port, once) == [0]
        settle()
    until(lambda: len(store.received) == 3 and not running.waiting())
    settle()

    assert len(store.received) == 3


def test_aborted_association_keeps_what_was_acknowledged(running: Node, store: Archive) -> None:
    with associated(running.port) as association:
        for _ in range(3):
            assert status_of(association, film()) == 0
        association.abort()
    until(lambda: len(store.received) == 9)


def test_results_wait_for_an_archive_that_is_away(tmp_path: Path, open_server: Server) -> None:
    port = free_port()
    with node(tmp_path, open_server.url, f"dicom://{ARCHIVE}@127.0.0.1:{port}") as made:
        send(made.port, film())
        until(lambda: 'result="retried"} 1.0' in made.metrics())
        assert made.waiting() == 1
        with archive(port) as store:
            until(lambda: len(store.received) == 3 and not made.waiting())
    assert made.failed() == []


def test_objects_wait_for_a_service_that_is_away(
    tmp_path: Path, open_server: Server, store: Archive
) -> None:
    with node(tmp_path, f"http://127.0.0.1:{free_port()}", to(store)) as away:
        assert send(away.port, film()) == [0]
        assert away.waiting() == 1
    with node(tmp_path, open_server.url, to(store)) as made:
        until(lambda: len(store.received) == 3 and not made.waiting())


def test_results_that_the_archive_never_takes_are_kept_with_the_reason(
    tmp_path: Path, open_server: Server
) -> None:
    with (
        archive(classes=RESULTS[:2]) as store,
        node(tmp_path, open_server.url, to(store)) as made,
    ):
        send(made.port, film())
        until(lambda: len(made.failed()) == 3)

        assert store.of_classes == sorted(RESULTS[:2])
        kept = {each.suffix: each for each in made.failed()}
        assert [each.is_dir() and len(list(each.iterdir())) for each in (kept[""],)] == [1]
        assert "does not accept" in json.loads(kept[".json"].read_text())["reason"]
        assert made.waiting() == 0


def test_full_queue_refuses_and_loses_nothing(tmp_path: Path, store: Archive) -> None:
    setting = {"CHESTXRAY_DICOM_MAX_QUEUE_BYTES": "1000000"}
    nowhere = f"http://127.0.0.1:{free_port()}"
    with node(tmp_path, nowhere, to(store), **setting) as made:
        statuses = send(made.port, *(film() for _ in range(4)))

        assert statuses == [0, 0, OUT_OF_RESOURCES, OUT_OF_RESOURCES]
        assert made.waiting() == 2


def test_stop_finishes_what_was_begun(tmp_path: Path, open_server: Server, store: Archive) -> None:
    with node(tmp_path, open_server.url, to(store)) as made:
        with associated(made.port) as association:
            assert status_of(association, film()) == 0
            made.process.send_signal(signal.SIGTERM)
            settle()
            assert status_of(association, film()) == 0
        assert made.process.wait(30) == 0
    with node(tmp_path, open_server.url, to(store)) as made:
        until(lambda: len(store.received) == 6 and not made.waiting())


def test_node_without_its_settings_does_not_start(tmp_path: Path) -> None:
    made = dicom_node.start(tmp_path, "http://127.0.0.1:1", "", CHESTXRAY_DICOM_PEERS="[]")

    assert made.process.wait(30) == 2
    assert "CHESTXRAY_DICOM_DESTINATION is empty" in made.log.read_text()
    assert "CHESTXRAY_DICOM_PEERS is empty" in made.log.read_text()


def test_second_node_on_the_same_queue_does_not_start(
    tmp_path: Path, running: Node, store: Archive
) -> None:
    another = dicom_node.start(tmp_path, "http://127.0.0.1:1", to(store))

    assert another.process.wait(30) == 2
    assert "another process takes from" in another.log.read_text()


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
