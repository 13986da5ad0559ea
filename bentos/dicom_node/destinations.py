"""Where results are sent, and what a failure means; `c_store` and `stow` are the two kinds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

_DUPLICATE = 0x0111
"""The destination has the object (PS3.7, annex C): it was sent before a crash."""
_SOP_CLASS_NOT_SUPPORTED = 0x0122
_MISMATCH, _CANNOT_UNDERSTAND = range(0xA900, 0xAA00), range(0xC000, 0xD000)
_WARNINGS = (0xB000, 0xB006, 0xB007)
"""Stored, with elements changed or left out (PS3.4, table B.2-1)."""


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


def failure_of(status: int) -> Failure | None:
    """What a status of C-STORE, or a reason of STOW-RS, means; None if the object is stored."""
    if status in (0, _DUPLICATE, *_WARNINGS):
        return None
    lasting = (
        status == _SOP_CLASS_NOT_SUPPORTED or status in _MISMATCH or status in _CANNOT_UNDERSTAND
    )
    return Failure(f"the destination answered 0x{status:04X}", lasting=lasting)


def all_failed(files: Sequence[bytes], failure: Failure) -> list[Failure | None]:
    """The same failure for every object."""
    return [failure] * len(files)
