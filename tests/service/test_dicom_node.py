"""`chestxray dicom`: a PACS sends radiographs, and gets results into their studies."""

import json
import signal
import socket
from pathlib import Path
from typing import Any

import numpy as np
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
SHORT_DRAIN = {
    "CHESTXRAY_DRAIN_TIMEOUT_SECONDS": "1",
    "CHESTXRAY_REQUEST_TIMEOUT_SECONDS": "1",
    "CHESTXRAY_POD_TIMEOUT_SECONDS": "0.5",
}


def film(**elements: Any) -> bytes:
    """A radiograph of its own study, unlike any other."""
    pixels = phantom(400, 480).astype(np.uint16) * 16
    uids = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid()}
    return dicoms.film(pixels, **{**IN_A_STUDY, **uids, **elements})


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


def test_stop_leaves_what_takes_longer_than_the_drain_to_the_next_start(
    tmp_path: Path, open_server: Server, store: Archive
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with node(tmp_path, url, to(store), **SHORT_DRAIN) as made:
            assert send(made.port, film()) == [0]
            connection, _ = silent.accept()
            made.process.send_signal(signal.SIGTERM)
            with connection:
                assert made.process.wait(15) == 0
            assert made.waiting() == 1
    with node(tmp_path, open_server.url, to(store)) as made:
        until(lambda: len(store.received) == 3 and not made.waiting())


def test_stop_is_not_held_up_by_a_silent_peer(tmp_path: Path, store: Archive) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    with (
        node(tmp_path, nowhere, to(store), **SHORT_DRAIN) as made,
        socket.create_connection(("127.0.0.1", made.port)) as silent,
        associated(made.port) as association,
    ):
        silent.sendall(b"\x01\x00\x00")
        association.dul.kill_dul()
        made.process.send_signal(signal.SIGTERM)
        assert made.process.wait(15) == 0


def test_stop_is_not_held_up_by_a_silent_archive(tmp_path: Path, open_server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"dicom://{ARCHIVE}@127.0.0.1:{silent.getsockname()[1]}"
        with node(tmp_path, open_server.url, address, **SHORT_DRAIN) as made:
            assert send(made.port, film()) == [0]
            connection, _ = silent.accept()
            made.process.send_signal(signal.SIGTERM)
            with connection:
                assert made.process.wait(15) == 0
            assert made.waiting() == 1


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
