"""Reads the images of a zip file, bounded against bombs.

A zip file is read from a file on the disk: its directory is at its end. Python's module believes
how large the directory is, so that this is checked first.
"""

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import BinaryIO

from chestxray.errors import ImageTooLarge, RejectedImage, UnreadableImage

_END = b"PK\x05\x06"
_END_BYTES, _MAX_COMMENT = 22, 65_535
_MAX_DIRECTORY_BYTES = 4 * 2**20
"""10,000 entries with names of some hundred characters."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_NO_IMAGES = ("DICOMDIR", "Thumbs.db", "desktop.ini")
_OF_MACOS = "__MACOSX"


class BadBundle(Exception):
    """The file is no zip file, or one that is not read here; the message quotes no name."""


class TooManyImages(BadBundle):
    """It has more images than a job may have."""


def images_of(
    file: BinaryIO, *, max_images: int, max_bytes: int
) -> Iterator[bytes | RejectedImage]:
    """Yields the bytes of each image in the order of the directory, or why there are none.

    An image has `max_bytes` at most. Raises BadBundle.
    """
    _check_directory(file)
    try:
        with zipfile.ZipFile(file) as bundle:
            entries = [each for each in bundle.infolist() if _is_image(each)]
            if len(entries) > max_images:
                raise TooManyImages(f"the zip file has {len(entries)} files")
            for entry in entries:
                yield _read(bundle, entry, max_bytes)
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise BadBundle("the zip file is damaged") from error


def _check_directory(file: BinaryIO) -> None:
    """Raises BadBundle unless the end record is one of a small directory."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _END_BYTES - _MAX_COMMENT))
    tail = file.read()
    found = tail.rfind(_END)
    if found < 0 or len(tail) - found < _END_BYTES:
        raise BadBundle("the body is not a whole zip file")
    directory = int.from_bytes(tail[found + 12 : found + 16], "little")
    if directory > _MAX_DIRECTORY_BYTES:  # also where ZIP64 has all bits set
        raise TooManyImages("the directory of the zip file is too large")


def _is_image(entry: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(entry.filename)
    is_hidden = path.name.startswith(".") or path.name in _NO_IMAGES
    return not (entry.is_dir() or is_hidden or _OF_MACOS in path.parts[:1])


def _read(bundle: zipfile.ZipFile, entry: zipfile.ZipInfo, max_bytes: int) -> bytes | RejectedImage:
    if entry.flag_bits & _ENCRYPTED:
        return UnreadableImage("the file is encrypted in the zip file; send it unencrypted")
    if entry.compress_type not in _METHODS:
        return UnreadableImage("the file is compressed by a method other than deflate")
    try:
        with bundle.open(entry) as member:
            data = member.read(max_bytes + 1)  # whatever size the directory says
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError):
        return UnreadableImage("the file in the zip file is damaged")
    if len(data) > max_bytes:
        return ImageTooLarge(f"the file is larger than {max_bytes} bytes", limit=max_bytes)
    return data
