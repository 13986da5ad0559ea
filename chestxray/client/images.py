"""What may be given as an image."""

import os
from pathlib import Path
from typing import BinaryIO, TypeAlias

Image: TypeAlias = bytes | bytearray | memoryview | str | os.PathLike[str] | BinaryIO
"""Bytes of a file, its path, or a file opened in binary mode, read from its current position."""


def read(image: Image) -> bytes:
    """Returns the bytes of a file, of which each try sends a copy. Raises OSError.

    The name of the file is not kept: it may be a patient's.
    """
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(image)
    if isinstance(image, str | os.PathLike):
        return Path(image).read_bytes()
    data = image.read()
    if not isinstance(data, bytes):
        raise TypeError("the image is a file opened as text; open it with mode 'rb'")
    return data
