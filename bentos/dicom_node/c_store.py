"""Sends results to a DICOM node: storage (C-STORE) as SCU."""

import io
from collections.abc import Sequence

import pydicom
from pydicom.dataset import FileDataset
from pydicom.uid import (
    ComprehensiveSRStorage,
    ExplicitVRLittleEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    SecondaryCaptureImageStorage,
)
from pynetdicom import AE
from pynetdicom.association import Association

from bentos.dicom_node.destinations import Failure, all_failed, failure_of, tls_context
from bentos.dicom_settings import DicomDestination
from bentos.settings import Settings

_OBJECTS = (
    ComprehensiveSRStorage,
    SecondaryCaptureImageStorage,
    GrayscaleSoftcopyPresentationStateStorage,
)


class DicomNode:
    """A storage SCP. Raises OSError where a file of TLS cannot be read."""

    def __init__(self, node: DicomDestination, settings: Settings) -> None:
        self._node, self._entity = node, AE(settings.dicom_ae_title)
        self._entity.connection_timeout = settings.dicom_timeout_seconds
        self._entity.acse_timeout = self._entity.dimse_timeout = settings.dicom_timeout_seconds
        self._entity.network_timeout = settings.dicom_timeout_seconds
        for storage in _OBJECTS:
            self._entity.add_requested_context(storage, ExplicitVRLittleEndian)
        self._tls = (tls_context(settings), node.host) if node.tls else None

    def send(self, files: Sequence[bytes]) -> list[Failure | None]:
        """Sends objects in one association."""
        association = self._entity.associate(
            self._node.host,
            self._node.port,
            ae_title=self._node.ae_title,
            tls_args=self._tls,
        )
        if not association.is_established:
            refused = "rejected the association" if association.is_rejected else "does not answer"
            return all_failed(files, Failure(f"{self._node.ae_title} {refused}"))
        try:
            return [_store(association, pydicom.dcmread(io.BytesIO(each))) for each in files]
        finally:
            association.release()

    def close(self) -> None:
        """Does nothing: no association is kept between two calls."""


def _store(association: Association, file: FileDataset) -> Failure | None:
    if not association.is_established:
        return Failure("the destination ended the association")
    if not any(each.abstract_syntax == file.SOPClassUID for each in association.accepted_contexts):
        return Failure(f"the destination does not accept {file.SOPClassUID.name}", lasting=True)
    status = association.send_c_store(file).get("Status")
    return failure_of(status) if status is not None else Failure("the destination did not answer")
