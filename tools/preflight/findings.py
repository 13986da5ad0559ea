"""What a check finds, as a line."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """A thing that the manifests need; for one that is not there, what to do."""

    status: Literal["ok", "missing", "unknown"]
    what: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.status:<8} {self.what}" + (f": {self.advice}" if self.advice else "")


def ok(what: str) -> Finding:
    """It is there."""
    return Finding("ok", what)


def missing(what: str, advice: str) -> Finding:
    """It is not there."""
    return Finding("missing", what, advice)


def unknown(what: str, why: str) -> Finding:
    """It cannot be seen from here."""
    return Finding("unknown", what, why)


def present(found: object, what: str, advice: str) -> Finding:
    """It is there if it was found."""
    return ok(what) if found else missing(what, advice)
