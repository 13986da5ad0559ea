"""A zip file of a job's images, on the disk: never more than one image is in memory."""

import asyncio
import os
import tempfile
import zipfile
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from chestxray.client.images import Image, read

_CHUNK = 256 * 1024


@dataclass(frozen=True)
class Bundle:
    """A zip file that each try sends from its beginning."""

    file: BinaryIO
    size: int

    def __iter__(self) -> Iterator[bytes]:
        self.file.seek(0)
        while chunk := self.file.read(_CHUNK):
            yield chunk


class AsyncBundle:
    """The same for a client of asyncio."""

    def __init__(self, bundle: Bundle) -> None:
        self._file = bundle.file

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._file.seek(0)
        while chunk := await asyncio.to_thread(self._file.read, _CHUNK):
            yield chunk


@contextmanager
def bundle_of(images: Iterable[Image]) -> Iterator[Bundle]:
    """Writes images to a temporary zip file, without their names, and deletes it at the end.

    They are stored as they are: images are compressed already. Raises OSError.
    """
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as bundle:
            for position, image in enumerate(images):
                bundle.writestr(f"{position:08}", read(image))
        yield Bundle(file, file.seek(0, os.SEEK_END))


@contextmanager
def bundle_at(path: str | os.PathLike[str]) -> Iterator[Bundle]:
    """Opens a zip file. Raises OSError."""
    with Path(path).open("rb") as file:
        yield Bundle(file, file.seek(0, os.SEEK_END))
