"""What travels between pods comes back as it was, or is refused."""

import pickle

import numpy as np
import pytest
from safetensors.numpy import save

from bentos import tensors
from bentos.covid_classifier.service import ROW

IMAGES = np.arange(2 * 224 * 224, dtype=np.uint8).reshape(2, 1, 224, 224)


def rows() -> np.ndarray:
    found = np.zeros(2, ROW)
    found["ok"] = (True, False)
    found["probabilities"] = np.linspace(0, 1, 6).reshape(2, 3)
    found["cam"][1, 2, 3, 4] = -7.5
    return found


def test_images_come_back_as_they_were() -> None:
    found = tensors.unpack_images(tensors.pack_images(IMAGES[:, :, ::1]))

    assert found.dtype == np.uint8
    assert np.array_equal(found, IMAGES)


def test_rows_come_back_as_they_were() -> None:
    found = tensors.unpack_rows(tensors.pack_rows(rows()), ROW, 2)

    assert found.dtype == ROW
    assert np.array_equal(found, rows())


def test_images_take_no_more_room_than_is_said() -> None:
    assert len(tensors.pack_images(IMAGES)) <= 2 * tensors.IMAGE_BYTES + tensors.OVERHEAD_BYTES


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"\xff" * 64,
        pickle.dumps(IMAGES),
        tensors.pack_images(IMAGES)[:-1],
        save({"images": IMAGES.astype(np.float32)}),
        save({"images": IMAGES[:, 0]}),
        save({"pictures": IMAGES}),
        save({}),
    ],
    ids=["empty", "json", "noise", "pickle", "cut", "type", "shape", "name", "none"],
)
def test_anything_else_is_no_images(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"the body is"):
        tensors.unpack_images(body)


@pytest.mark.parametrize(
    "change",
    [
        {"cam": np.zeros((2, 3, 7, 7), np.float32)},
        {"probabilities": np.zeros((2, 3), np.float64)},
        {"embedding": np.zeros((2, 4), np.float32)},
    ],
    ids=["shape", "type", "name"],
)
def test_rows_of_another_version_are_refused(change: dict[str, np.ndarray]) -> None:
    fields = {name: rows()[name].copy() for name in ROW.names or ()}

    with pytest.raises(ValueError):
        tensors.unpack_rows(save(fields | change), ROW, 2)


def test_rows_for_fewer_images_are_refused() -> None:
    with pytest.raises(ValueError):
        tensors.unpack_rows(tensors.pack_rows(rows()), ROW, 3)
