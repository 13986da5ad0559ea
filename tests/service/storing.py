"""Stores DICOM objects by DICOMweb, and looks into the queue that they go into."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from pydicom.dataset import Dataset

from bentos.dicom_node.queue import Queue
from chestxray import related
from tests import results_in_study
from tests.service.server import Server

STUDIES = "/dicomweb/studies"
DICOM, JSON = "application/dicom", "application/dicom+json"
KIND = f'multipart/related; type="{DICOM}"; boundary=XbX'
STUDY = results_in_study.IN_A_STUDY["StudyInstanceUID"]
PATIENT = {"PatientName": "SILVA^MARIA", "PatientID": "4711-XYZ", "InstitutionName": "HOSPITAL"}
UNSUPPORTED, FULL, MISMATCH, NOT_UNDERSTOOD = 0x0122, 0xA700, 0xA900, 0xC000


@dataclass(frozen=True)
class Gateway:
    """A server that stores, and its queue."""

    server: Server
    folder: Path

    def has(self, data: bytes) -> bool:
        """Whether the queue has this object, byte for byte."""
        queue = Queue(self.folder, max_bytes=2**40)
        name = hashlib.sha256(data).hexdigest()
        return name in {each.name for each in queue.waiting()} and queue.read(name) == data

    def post(
        self, *parts: bytes, path: str = STUDIES, of_type: str = DICOM, **headers: str
    ) -> httpx.Response:
        """Stores objects."""
        return self.send(related.body_of(parts, "XbX", of_type=of_type), path=path, **headers)

    def send(self, body: Any, *, path: str = STUDIES, **headers: str) -> httpx.Response:
        """Sends a body, in chunks where it is an iterator."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        given = {"Content-Type": KIND} | named
        return httpx.post(self.server.url + path, content=body, headers=given, timeout=60)


def film(**elements: Any) -> bytes:
    return results_in_study.film(**{**PATIENT, **elements})


def data_set(answer: httpx.Response, status: int) -> Dataset:
    """The data set of an answer."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == JSON
    return Dataset.from_json(answer.json())


def failures(answer: httpx.Response, status: int) -> list[int]:
    """The reasons of what was not stored: of named objects first, then of the others."""
    found = data_set(answer, status)
    items = [*found.get("FailedSOPSequence", []), *(found.get("OtherFailuresSequence") or [])]
    return [each.FailureReason for each in items]


BODY = related.body_of([film()], "XbX", of_type=DICOM)
"""A request's body with one object."""
