"""The answer to a store transaction is what PS3.18 wants, as another reader of it sees it."""

import json

import pytest
from pydicom.dataset import Dataset

from bentos.gateway.store_response import Outcome, respond
from bentos.http.problems import RequestProblem
from chestxray.dicom.instance import Instance, Kind
from chestxray.dicom.storage import Status

JSON = "application/dicom+json"


def instance(number: int) -> Instance:
    return Instance(
        sop_class="1.2.840.10008.5.1.4.1.1.1",
        sop_instance=f"1.2.3.{number}",
        study="1.2.3",
        kind=Kind.RADIOGRAPH,
    )


STORED = Outcome(instance(1))
REFUSED = Outcome(instance(2), Status.CLASS_NOT_SUPPORTED)
UNREADABLE = Outcome(None, Status.CANNOT_UNDERSTAND)
FULL = Outcome(instance(3), Status.OUT_OF_RESOURCES)


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ([STORED], 200),
        ([STORED, STORED], 200),
        ([STORED, REFUSED], 202),
        ([FULL, STORED], 202),
        ([REFUSED], 409),
        ([UNREADABLE, REFUSED], 409),
        ([FULL, REFUSED], 409),
    ],
)
def test_status_says_whether_all_some_or_none_are_stored(
    outcomes: list[Outcome], status: int
) -> None:
    found = respond(outcomes, JSON)

    assert (found.status_code, found.media_type) == (status, JSON)
    assert found.headers["vary"] == "Accept"


def test_every_object_is_in_the_sequence_of_what_became_of_it() -> None:
    body = json.loads(respond([STORED, REFUSED, UNREADABLE, FULL], JSON).body)
    found = Dataset.from_json(body)

    assert found.RetrieveURL == ""
    (stored,) = found.ReferencedSOPSequence
    assert stored.ReferencedSOPInstanceUID == "1.2.3.1"
    assert stored.ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.1"
    assert [
        (each.ReferencedSOPInstanceUID, each.FailureReason) for each in found.FailedSOPSequence
    ] == [("1.2.3.2", 0x0122), ("1.2.3.3", 0xA700)]
    (other,) = found[0x0008119A].value
    assert other.FailureReason == 0xC000
    assert list(body) == sorted(body)


def test_sequences_without_items_are_absent() -> None:
    assert json.loads(respond([STORED], JSON).body).keys() == {"00081190", "00081199"}


def test_full_queue_alone_is_answered_503_with_retry_after() -> None:
    with pytest.raises(RequestProblem) as caught:
        respond([FULL, FULL], JSON)

    assert (caught.value.status, caught.value.code) == (503, "storage-unavailable")
    assert int(caught.value.headers["Retry-After"]) > 0
