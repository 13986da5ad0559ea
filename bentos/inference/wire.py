"""The wire format between the gateway and the models: safetensors over HTTP/1.1, no pickle.

A request carries images, its answer one row per image. Neither side trusts the other: every length
is bounded before it is read, and only the expected tensors become arrays.
"""

from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save

from chestxray.engines import Images
from chestxray.preprocessing import SIZE

PATH = "/v1/infer"
DIGEST_HEADER = "X-Model-Digest"
"""Request: the checkpoint that the client expects. A server with another one refuses."""
TIMEOUT_HEADER = "X-Request-Timeout-Ms"
"""Request: the server answers within this time, if only to refuse. One that is silent is dead."""
CALLER_HEADER = "X-Caller"
"""Request: an opaque name of whom the image belongs to; callers share batches fairly."""
ALONE_HEADER = "X-Batch-Alone"
"""Request: present on a retry after the server died, which must not share a batch."""
LOADED_HEADER = "X-Machine-Loaded"
"""Request: present if the machine that gateway and model share has other images in flight."""
SECONDS_HEADER = "X-Model-Seconds"
"""Answer: the images' share of the time of their batch."""
MEDIA_TYPE = "application/vnd.safetensors"
OVERHEAD_BYTES = 4096
"""Space for the header that names the tensors; ours take less than a tenth of it."""
IMAGE_BYTES = SIZE * SIZE

Rows = npt.NDArray[np.void]
"""(B,) of a structured dtype with a field `ok`."""

_IMAGES = "images"
_LENGTH_BYTES = 8
"""A safetensors document begins with the length of its header, little endian."""
_NAMES = {np.dtype("?"): "BOOL", np.dtype("u1"): "U8", np.dtype("<f4"): "F32"}
"""What safetensors calls the types that travel."""


class _Tensor(TypedDict):
    shape: list[int]
    dtype: str
    data: bytearray


def pack_images(images: Images) -> bytes:
    """Writes uint8 (B, 1, SIZE, SIZE)."""
    return save({_IMAGES: np.ascontiguousarray(images)})


def max_images_bytes(count: int) -> int:
    """The most that so many packed images take."""
    return OVERHEAD_BYTES + count * IMAGE_BYTES


def images_within(length: int) -> int:
    """How many images are in a body of so many bytes, if it is one; known before it is read."""
    return length // IMAGE_BYTES  # the header takes less space than an image


def unpack_images(data: bytes) -> Images:
    """Reads what pack_images wrote. Raises ValueError."""
    tensors = _load(data)
    shape = (images_within(len(data)), 1, SIZE, SIZE)
    if (
        tensors.keys() != {_IMAGES}
        or (images := _array(tensors[_IMAGES], np.dtype("u1"), shape)) is None
    ):
        raise ValueError(f"the body is no tensor `{_IMAGES}` of uint8 (B, 1, {SIZE}, {SIZE})")
    return images


def pack_rows(rows: Rows) -> bytes:
    """Writes each field of (B,) rows as a tensor of its own."""
    return save({name: np.ascontiguousarray(rows[name]) for name in rows.dtype.names or ()})


def max_rows_bytes(row: "np.dtype[np.void]", count: int) -> int:
    """The most that so many packed rows take."""
    return OVERHEAD_BYTES + count * row.itemsize


def unpack_rows(data: bytes, row: "np.dtype[np.void]", count: int) -> Rows:
    """Reads so many rows of this type. Raises ValueError."""
    rows, tensors = np.zeros(count, row), _load(data)
    if tensors.keys() != set(row.names or ()):  # what it has instead is a stranger's text
        raise ValueError(f"the answer has not the fields {row.names}")
    for name, tensor in tensors.items():
        values = _array(tensor, rows[name].dtype, rows[name].shape)
        if values is None:
            raise ValueError(f"{name} is not {rows[name].dtype} {rows[name].shape}")
        rows[name] = values
    return rows


def _load(data: bytes) -> dict[str, _Tensor]:
    header = int.from_bytes(data[:_LENGTH_BYTES], "little")
    if header > OVERHEAD_BYTES - _LENGTH_BYTES:
        raise ValueError(f"the body is not ours: its header is above {OVERHEAD_BYTES} bytes")
    try:
        return dict(deserialize(data))  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise ValueError("the body is not in the format of safetensors") from error


def _array(
    tensor: _Tensor, dtype: "np.dtype[Any]", shape: tuple[int, ...]
) -> npt.NDArray[Any] | None:
    """The tensor as an array, where it is of this type and shape."""
    if tensor["dtype"] != _NAMES[dtype] or tensor["shape"] != list(shape):
        return None
    if dtype == np.bool_ and not set(tensor["data"]) <= {0, 1}:
        return None
    return np.frombuffer(tensor["data"], dtype).reshape(shape)
