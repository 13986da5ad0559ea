"""What answers of a destination mean, and what is believed of a DICOMweb service."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydicom.uid import generate_uid

from bentos.dicom_node.destinations import failure_of
from bentos.dicom_node.stow import DicomWebService
from bentos.settings import Settings
from chestxray.related import parts_of
from tests import dicoms

URL = "https://archive.example/dicom-web/"
FIRST, SECOND = generate_uid(), generate_uid()
FILES = [dicoms.film(dicoms.RAMP, SOPInstanceUID=uid) for uid in (FIRST, SECOND)]


@pytest.mark.parametrize("status", [0x0000, 0x0111, 0xB000, 0xB006, 0xB007])
def test_stored_duplicate_and_coerced_objects_are_done(status: int) -> None:
    assert failure_of(status) is None


@pytest.mark.parametrize(
    ("status", "lasting"),
    [(0x0122, True), (0xA900, True), (0xC123, True), (0xA700, False), (0x0110, False)],
)
def test_only_some_failures_are_final(status: int, lasting: bool) -> None:
    failure = failure_of(status)

    assert failure is not None and failure.lasting == lasting
    assert f"0x{status:04X}" in failure.reason


Answer = Callable[[httpx.Request], httpx.Response]


def sent_to(answer: Answer, **settings: str) -> list[Any]:
    service = DicomWebService(URL, Settings(**settings))
    service.http.close()
    service.http = httpx.Client(transport=httpx.MockTransport(answer), headers=service.http.headers)
    with service.http:
        return service.send(FILES)


def test_closed_service_has_no_open_client() -> None:
    service = DicomWebService(URL, Settings())
    service.close()

    assert service.http.is_closed


def stored(*uids: str, failed: tuple[tuple[str, int], ...] = ()) -> dict[str, Any]:
    """A response of STOW-RS."""
    return {
        "00081199": {"vr": "SQ", "Value": [{"00081155": {"Value": [uid]}} for uid in uids]},
        "00081198": {
            "vr": "SQ",
            "Value": [
                {"00081155": {"Value": [uid]}, "00081197": {"Value": [reason]}}
                for uid, reason in failed
            ],
        },
    }


def test_request_has_a_length_and_every_file() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=stored(FIRST, SECOND))

    found = sent_to(answer, dicom_destination_authorization="Bearer secret")

    (request,) = seen
    assert found == [None, None]
    assert str(request.url) == "https://archive.example/dicom-web/studies"
    assert request.headers["authorization"] == "Bearer secret"
    assert int(request.headers["content-length"]) == len(request.content)
    assert "transfer-encoding" not in request.headers
    sent = parts_of(request.content, request.headers["content-type"], of_type="application/dicom")
    assert sent == FILES


def test_object_that_the_answer_does_not_name_is_not_stored() -> None:
    """Some archives answer 200 to what they drop."""
    first, second = sent_to(lambda _: httpx.Response(200, json=stored(FIRST)))

    assert first is None
    assert second is not None and not second.lasting


def test_each_object_has_its_own_outcome() -> None:
    answer = stored(FIRST, failed=((SECOND, 0x0122),))
    first, second = sent_to(lambda _: httpx.Response(202, json=answer))

    assert first is None
    assert second is not None and second.lasting


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"00081199": {"Value": [{}]}}),
        httpx.Response(200, json="stored"),
        httpx.Response(401),
        httpx.Response(302, headers={"Location": "https://elsewhere.example"}),
        httpx.Response(503),
    ],
    ids=["page", "empty", "without UID", "text", "unauthorised", "elsewhere", "away"],
)
def test_answer_that_says_nothing_is_tried_again(answer: httpx.Response) -> None:
    assert all(each and not each.lasting for each in sent_to(lambda _: answer))


def test_connection_error_is_tried_again() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("away", request=request)

    assert all(each and not each.lasting for each in sent_to(fail))


def test_response_may_be_an_array_of_one_data_set() -> None:
    body = json.dumps([stored(FIRST, SECOND)])

    assert sent_to(lambda _: httpx.Response(200, text=body)) == [None, None]
