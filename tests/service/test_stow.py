"""DICOM objects that are stored by DICOMweb are in the queue of the DICOM node, byte for byte."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import numpy as np
import pydicom.uid as uids
import pytest

from bentos.dicom_node.stow import DicomWebService
from bentos.settings import Settings
from chestxray import related
from chestxray.dicom.study import objects
from chestxray.limits import DEFAULT_LIMITS
from tests import dicoms, results_in_study
from tests.fuzz import api
from tests.phantoms import phantom
from tests.service import wire
from tests.service.fakes import check_problem
from tests.service.server import serve
from tests.service.storing import (
    BODY,
    DICOM,
    JSON,
    KIND,
    MISMATCH,
    NOT_UNDERSTOOD,
    STUDIES,
    STUDY,
    UNSUPPORTED,
    Gateway,
    data_set,
    failures,
    film,
)

MAX_BYTES = 2**20


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("stow")
    queue = folder / "queue"
    settings = {
        "DICOM_QUEUE": str(queue),
        "DICOM_PEERS": '["PACS@127.0.0.1/32"]',
        "MAX_IMAGE_BYTES": str(MAX_BYTES),
        "MAX_IMAGES_PER_BATCH": "4",
    }
    named = {f"CHESTXRAY_{name}": value for name, value in settings.items()}
    with serve(folder, **named) as running:
        yield Gateway(running, queue)


def test_object_is_in_the_queue_when_it_is_answered_200(gateway: Gateway) -> None:
    data = film()

    found = data_set(gateway.post(data), 200)

    assert gateway.has(data)
    (item,) = found.ReferencedSOPSequence
    assert item.ReferencedSOPClassUID == uids.ComputedRadiographyImageStorage
    assert item.ReferencedSOPInstanceUID.encode() in data
    assert "FailedSOPSequence" not in found


def test_several_objects_are_stored_by_one_request(gateway: Gateway) -> None:
    sent = [film(), film(), film()]

    found = data_set(gateway.post(*sent), 200)

    assert all(map(gateway.has, sent))
    assert len({each.ReferencedSOPInstanceUID for each in found.ReferencedSOPSequence}) == 3


@pytest.mark.parametrize("size", [1, 1000, 10**6])
def test_body_may_come_in_chunks(gateway: Gateway, size: int) -> None:
    small = np.zeros((16, 16), np.uint16)
    data = film() if size > 1 else dicoms.film(small, StudyInstanceUID=STUDY)
    body = related.body_of([data], "XbX", of_type=DICOM)

    answer = gateway.send(body[start : start + size] for start in range(0, len(body), size))

    assert answer.request.headers["transfer-encoding"] == "chunked"
    assert answer.status_code == 200
    assert gateway.has(data)


def test_object_that_is_sent_again_is_answered_200_and_kept_once(gateway: Gateway) -> None:
    data = film()

    answers = [gateway.post(data), gateway.post(data, data)]

    assert [each.status_code for each in answers] == [200, 200]
    assert gateway.has(data)


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/related; type=application/dicom; boundary=XbX",
        'Multipart/Related;Type="application/dicom";Boundary="XbX"',
        "multipart/related; boundary=XbX",
        'multipart/related; boundary=XbX; type="application/dicom"; start="<1>"',
    ],
)
def test_content_type_may_be_written_in_any_way(gateway: Gateway, kind: str) -> None:
    assert gateway.post(film(), Content_Type=kind).status_code == 200


@pytest.mark.parametrize("accept", ["*/*", JSON, "application/json", "image/*, application/*;q=.1"])
def test_result_has_the_accepted_type(gateway: Gateway, accept: str) -> None:
    answer = gateway.post(film(), Accept=accept)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == (accept if accept == "application/json" else JSON)


def test_other_type_of_result_is_answered_406(gateway: Gateway) -> None:
    data = film()

    answer = gateway.post(data, Accept="application/dicom+xml")

    check_problem(answer, 406, "not-acceptable")
    assert not gateway.has(data)


def test_own_results_are_refused(gateway: Gateway) -> None:
    radiograph = film()
    own = objects.write(radiograph, results_in_study.order(radiograph), DEFAULT_LIMITS)

    answer = gateway.post(*own)

    assert failures(answer, 409) == [NOT_UNDERSTOOD] * 3
    assert not any(map(gateway.has, own))


def test_ct_is_refused_and_the_radiograph_beside_it_is_stored(gateway: Gateway) -> None:
    scan, radiograph = film(SOPClassUID=uids.CTImageStorage), film()

    answer = gateway.post(scan, radiograph)

    assert failures(answer, 202) == [UNSUPPORTED]
    assert len(data_set(answer, 202).ReferencedSOPSequence) == 1
    assert gateway.has(radiograph)
    assert not gateway.has(scan)


def test_only_objects_of_the_study_in_the_path_are_stored(gateway: Gateway) -> None:
    data, other = film(), film(StudyInstanceUID=uids.generate_uid())

    answer = gateway.post(data, other, path=f"{STUDIES}/{STUDY}")

    assert failures(answer, 202) == [MISMATCH]
    assert gateway.has(data)
    assert not gateway.has(other)


@pytest.mark.parametrize("study", ["SILVA^MARIA", "1..2", "1.2.", "1." * 40 + "1", "%20"])
def test_path_without_a_uid_is_answered_400(gateway: Gateway, study: str) -> None:
    answer = gateway.post(film(), path=f"{STUDIES}/{study}")

    check_problem(answer, 400, "invalid-parameter")
    assert "SILVA" not in answer.text


@pytest.mark.parametrize(
    "data",
    [b"", b"no DICOM", bytes(128) + b"DICM", film()[:300], bytes(128) + b"DICM" + b"\xff" * 4000],
    ids=["empty", "text", "mark", "header", "noise"],
)
def test_part_that_is_no_object_is_refused_alone(gateway: Gateway, data: bytes) -> None:
    radiograph = film()

    answer = gateway.post(data, radiograph)

    assert failures(answer, 202) == [NOT_UNDERSTOOD]
    assert gateway.has(radiograph)


def test_object_over_the_limit_is_refused_alone(gateway: Gateway) -> None:
    side = 1 + int((MAX_BYTES / 2) ** 0.5)
    large = dicoms.film(phantom(side, side).astype(np.uint16), StudyInstanceUID=STUDY)
    radiograph = film()

    answer = gateway.post(large, radiograph)

    assert len(large) > MAX_BYTES
    assert failures(answer, 202) == [NOT_UNDERSTOOD]
    assert gateway.has(radiograph)


def test_parts_of_another_type_are_refused(gateway: Gateway) -> None:
    assert failures(gateway.post(film(), of_type="image/jpeg"), 409) == [NOT_UNDERSTOOD]


MALFORMED = {
    "empty": b"",
    "no boundary": film(),
    "no parts": b"--XbX--\r\n",
    "no end": BODY[: -len(b"--XbX--\r\n")],
    "half": BODY[: len(BODY) // 2],
    "another boundary": BODY.replace(b"XbX", b"YbY"),
    "line ends": BODY.replace(b"\r\n", b"\n", 3),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_body_is_answered_400(gateway: Gateway, name: str) -> None:
    check_problem(gateway.send(MALFORMED[name]), 400, "malformed-multipart")


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Content_Type": "multipart/related; type=application/dicom"}, 400, "malformed-multipart"),
        ({"Content_Type": "application/dicom"}, 415, "unsupported-media-type"),
        ({"Content_Type": "multipart/form-data; boundary=XbX"}, 415, "unsupported-media-type"),
        ({"Content_Type": KIND.replace(DICOM, JSON)}, 415, "unsupported-media-type"),
        ({"Content_Type": "SILVA"}, 415, "unsupported-media-type"),
        ({"Content_Encoding": "gzip"}, 415, "unsupported-content-encoding"),
    ],
)
def test_body_that_is_none_of_dicom_objects_is_refused(
    gateway: Gateway, headers: dict[str, str], status: int, code: str
) -> None:
    answer = gateway.post(film(), **headers)

    check_problem(answer, status, code)
    assert "SILVA" not in answer.text


def test_too_many_parts_are_answered_400(gateway: Gateway) -> None:
    answer = gateway.post(*[film()] * 5)

    check_problem(answer, 400, "too-many-images")
    assert answer.json()["limit"] == 4


def test_connection_that_ends_early_stores_nothing(gateway: Gateway) -> None:
    data = film()
    body = related.body_of([data], "XbX", of_type=DICOM)
    head = f"POST {STUDIES} HTTP/1.1\r\nHost: x\r\nContent-Type: {KIND}\r\n".encode()

    with wire.connect(gateway.server) as connection:
        connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body[:-1])

    assert gateway.post(film()).status_code == 200
    assert not gateway.has(data)


def test_stranger_is_answered_403_before_the_body(gateway: Gateway) -> None:
    head = f"POST {STUDIES} HTTP/1.1\r\nHost: x\r\nContent-Type: {KIND}\r\n".encode()
    head += b"Accept: image/png\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n"

    with wire.connect(gateway.server, "127.0.0.2") as connection:
        wire.send(connection, head)
        (answer,) = wire.parse(wire.read_until_closed(connection))

    assert (answer.status, wire.code_of(answer)) == (403, "sender-not-allowed")


def test_own_client_of_a_dicom_web_service_understands_the_response(gateway: Gateway) -> None:
    service = DicomWebService(f"{gateway.server.url}/dicomweb", Settings())
    scan, radiograph = film(SOPClassUID=uids.CTImageStorage), film()

    with closing(service.http):
        refused, stored = service.send([scan, radiograph])

    assert stored is None
    assert refused is not None and refused.lasting
    assert gateway.has(radiograph)


def test_log_and_metrics_say_nothing_of_the_patient_or_the_study(gateway: Gateway) -> None:
    gateway.post(film(), path=f"{STUDIES}/{STUDY}")
    gateway.post(film()[:300], path=f"{STUDIES}/{STUDY}")

    log = gateway.server.log.read_text()
    metrics = httpx.get(f"{gateway.server.url}/metrics").text

    assert f"POST {STUDIES}/{{study}} 200" in log
    for said in (log, metrics):
        assert not [word for word in ("SILVA", "4711-XYZ", "HOSPITAL", STUDY) if word in said]


def test_routes_are_in_the_document_where_there_is_a_queue(gateway: Gateway) -> None:
    paths = httpx.get(f"{gateway.server.url}/openapi.json").json()["paths"]

    stored = paths[STUDIES]["post"]
    assert f"{STUDIES}/{{study}}" in paths
    assert {"200", "202", "400", "403", "404", "409", "415", "503"} <= stored["responses"].keys()
    assert list(stored["requestBody"]["content"]) == ["multipart/related"]


def test_every_response_conforms_to_the_openapi_document(gateway: Gateway, tmp_path: Path) -> None:
    assert api.run(gateway.server.url, tmp_path, examples=10, accept="*/*") == 0
