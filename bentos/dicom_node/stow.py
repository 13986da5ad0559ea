"""Sends results to a DICOMweb service: STOW-RS (PS3.18, 10.5).

The body has a Content-Length: some archives answer 200 to a chunked one and store nothing. For the
same reason an object counts as stored only if the response names it.
"""

import io
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any

import httpx
import pydicom

from bentos.dicom_node.destinations import Failure, all_failed, failure_of, tls_context
from bentos.http.negotiation import DICOM, DICOM_JSON
from bentos.settings import Settings
from chestxray import related
from chestxray.dicom import storage

_WITH_RESULT = (HTTPStatus.OK, HTTPStatus.ACCEPTED, HTTPStatus.CONFLICT)
"""Statuses whose body says what became of each object: all, some or none was stored."""


class DicomWebService:
    """A DICOMweb service at `url`. Raises OSError where a file of TLS cannot be read."""

    def __init__(self, url: str, settings: Settings) -> None:
        self._url = f"{url.rstrip('/')}/studies"
        authorization = settings.dicom_destination_authorization.get_secret_value()
        self.http = httpx.Client(
            verify=tls_context(settings),
            timeout=settings.dicom_timeout_seconds,
            headers={"Accept": DICOM_JSON}
            | ({"Authorization": authorization} if authorization else {}),
            follow_redirects=False,  # the header must not go elsewhere
        )

    def send(self, files: Sequence[bytes]) -> list[Failure | None]:
        """Sends objects in one request."""
        described, body = related.message_of(files, of_type=DICOM)
        try:
            response = self.http.post(self._url, content=body, headers={"Content-Type": described})
        except httpx.HTTPError as error:
            return all_failed(files, Failure(f"no answer: {type(error).__name__}"))
        if response.status_code not in _WITH_RESULT:
            return all_failed(files, Failure(f"the destination answered {response.status_code}"))
        try:
            outcomes = dict(_outcomes(response.json()))
        except (ValueError, TypeError, KeyError, AttributeError, IndexError):
            return all_failed(files, Failure("the answer is no STOW-RS response"))
        unknown = Failure("the answer does not name the object as stored")
        return [outcomes.get(_instance(each), unknown) for each in files]

    def close(self) -> None:
        """Closes the connections."""
        self.http.close()


def _outcomes(response: Any) -> Iterator[tuple[str, Failure | None]]:
    """What became of each object, by its SOP Instance UID. Raises if it is no such response."""
    answer = response[0] if isinstance(response, list) else response
    for item in answer.get(storage.FAILED, {}).get("Value", ()):
        yield (
            item[storage.SOP_INSTANCE]["Value"][0],
            failure_of(int(item[storage.FAILURE_REASON]["Value"][0])),
        )
    for item in answer.get(storage.REFERENCED, {}).get("Value", ()):
        yield item[storage.SOP_INSTANCE]["Value"][0], None


def _instance(file: bytes) -> str:
    found = pydicom.dcmread(io.BytesIO(file), stop_before_pixels=True)
    return str(found.SOPInstanceUID)
