"""What travels between pods: tensors as safetensors, which no reader ever unpickles."""

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from bentos.runner import Rows
from chestxray.engines import Images
from chestxray.preprocessing import SIZE

PATH = "/v1/classifications"
DIGEST_HEADER = "X-Model-Digest"
"""The classifier that the asker has; a pod with another one refuses."""
MEDIA_TYPE = "application/vnd.safetensors"
OVERHEAD_BYTES = 4096
"""Room for the header that names the tensors."""
IMAGE_BYTES = SIZE * SIZE

_IMAGES = "images"


def pack_images(images: Images) -> bytes:
    """Writes uint8 (B, 1, SIZE, SIZE)."""
    return save({_IMAGES: np.ascontiguousarray(images)})


def unpack_images(data: bytes) -> Images:
    """Reads what pack_images wrote. Raises ValueError."""
    images = _load(data).get(_IMAGES)
    if images is None or images.dtype != np.uint8 or images.shape[1:] != (1, SIZE, SIZE):
        raise ValueError(f"the body is no tensor `{_IMAGES}` of uint8 (B, 1, {SIZE}, {SIZE})")
    return images


def pack_rows(rows: Rows) -> bytes:
    """Writes each field of (B,) rows as a tensor of its own."""
    return save({name: np.ascontiguousarray(rows[name]) for name in rows.dtype.names or ()})


def unpack_rows(data: bytes, row: "np.dtype[np.void]", count: int) -> Rows:
    """Reads so many rows of this type. Raises ValueError."""
    rows, fields = np.zeros(count, row), _load(data)
    if fields.keys() != set(row.names or ()):
        raise ValueError(f"the answer has {sorted(fields)}, not {row.names}")
    for name, values in fields.items():
        wanted = rows[name]
        if (values.shape, values.dtype) != (wanted.shape, wanted.dtype):
            raise ValueError(f"{name} is {values.dtype} {values.shape}, not {row[name]}")
        rows[name] = values
    return rows


def _load(data: bytes) -> dict[str, np.ndarray]:
    try:
        return load(data)
    except SafetensorError as error:
        raise ValueError("the body is not in the format of safetensors") from error
