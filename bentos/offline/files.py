"""Finds the files to analyse, and reads each with its digest."""

import hashlib
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from chestxray.errors import ImageTooLarge

STANDARD_INPUT = "-"
"""Instead of a file: the names of files come from standard input, one on each line."""


@dataclass(frozen=True)
class File:
    """A file with its content; `error` says why it was not read."""

    name: str
    digest: str
    data: bytes
    error: ImageTooLarge | OSError | None = None


def find(arguments: Iterable[str]) -> Iterator[str]:
    """Yields each file once, folders in the order of their names, hidden files left out.

    A file that does not exist is yielded as well: reading it fails.
    """
    seen = set[str]()
    for name in _named(arguments):
        path = Path(name)
        for found in _inside(path) if path.is_dir() else (name,):
            if found not in seen:
                seen.add(found)
                yield found


def _named(arguments: Iterable[str]) -> Iterator[str]:
    for argument in arguments:
        if argument == STANDARD_INPUT:
            yield from filter(None, (line.rstrip("\n") for line in sys.stdin))
        else:
            yield argument


def _inside(folder: Path) -> Iterator[str]:
    for path, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        yield from (str(Path(path, name)) for name in sorted(names) if not name.startswith("."))


def digest_of(name: str) -> str:
    """The SHA-256 of a file's content, as sha256:...; empty if it cannot be read."""
    try:
        with Path(name).open("rb") as stream:
            return _text(hashlib.file_digest(stream, "sha256").hexdigest())
    except OSError:
        return ""


def read(name: str, *, max_bytes: int) -> File:
    """Reads a file of at most `max_bytes`; a larger one only for its digest."""
    try:
        with Path(name).open("rb") as stream:
            data = stream.read(max_bytes + 1)
    except OSError as error:
        return File(name, "", b"", error)
    if len(data) <= max_bytes:
        return File(name, _text(hashlib.sha256(data).hexdigest()), data)
    too_large = ImageTooLarge(f"the file has more than {max_bytes} bytes", limit=max_bytes)
    return File(name, digest_of(name), b"", too_large)


def _text(digest: str) -> str:
    return f"sha256:{digest}"
