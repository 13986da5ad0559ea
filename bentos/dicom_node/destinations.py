"""Where results are sent, and what a failure means; `c_store` and `stow` are the two kinds."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bentos.settings import Settings
from chestxray.dicom.storage import Status

_STORED = (
    Status.STORED,
    Status.DUPLICATE,  # it was sent before a crash
    Status.COERCED,
    Status.ELEMENTS_DISCARDED,
    Status.MISMATCH_STORED,
)
_LASTING = (
    range(Status.CLASS_NOT_SUPPORTED, Status.CLASS_NOT_SUPPORTED + 1),
    range(Status.MISMATCH, Status.MISMATCH + 0x100),
    range(Status.CANNOT_UNDERSTAND, Status.CANNOT_UNDERSTAND + 0x1000),
)
"""A9xx and Cxxx are classes of statuses (PS3.4, table B.2-1)."""


@dataclass(frozen=True)
class Failure:
    """Why an object was not stored."""

    reason: str
    lasting: bool = False
    """Whether another try would fail alike."""


class Destination(Protocol):
    """A node or a service that stores objects."""

    def send(self, files: Sequence[bytes]) -> list[Failure | None]:
        """Sends objects of one study; returns what failed, in the same order."""

    def close(self) -> None:
        """Closes what is kept open between two calls."""


def failure_of(status: int) -> Failure | None:
    """What a status of C-STORE, or a reason of STOW-RS, means; None if the object is stored."""
    if status in _STORED:
        return None
    lasting = any(status in each for each in _LASTING)
    return Failure(f"the destination answered 0x{status:04X}", lasting=lasting)


def all_failed(files: Sequence[bytes], failure: Failure) -> list[Failure | None]:
    """The same failure for every object."""
    return [failure] * len(files)


def tls_context(settings: Settings) -> ssl.SSLContext:
    """How the destination is verified, and what it is shown. Raises OSError."""
    context = ssl.create_default_context(cafile=settings.dicom_tls_ca or None)
    if settings.dicom_tls_certificate:
        context.load_cert_chain(settings.dicom_tls_certificate, settings.dicom_tls_key)
    return context
