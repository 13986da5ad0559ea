"""Serving and evaluation use the same pixels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from bentos.decoding.decoders import Decoders
from bentos.decoding.protocol import Request
from chestxray.confinement import DEFAULT_PROCESS_LIMITS
from chestxray.limits import DEFAULT_LIMITS
from chestxray.networks import Scale
from chestxray.preprocessing import IMAGENET, SIZE, UNIT_RANGE
from tests.phantoms import encode
from training.cache import open_cache
from training.datasets.records import Record


def test_serving_and_evaluation_prepare_identical_pixels(tmp_path: Path, chest: np.ndarray) -> None:
    record = Record(Path(), "covid19", "p", "d", "test", "0")
    files = {"a.jpg": encode(chest, "JPEG"), "b.png": encode(chest.astype(np.uint16) * 9, "PNG")}
    records = [replace(record, path=tmp_path / name, sha256=name) for name in files]
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    cached = open_cache(records, tmp_path / "cache")
    decoders = Decoders(DEFAULT_LIMITS, DEFAULT_PROCESS_LIMITS, processes=1)
    served = [decoders.decode(data, Request(None, False)).pixels for data in files.values()]
    decoders.close()

    for row, pixels in zip(cached, served, strict=True):
        assert pixels.dtype == np.uint8
        assert pixels.shape == (1, SIZE, SIZE)
        assert np.array_equal(pixels[0], row)


def test_cache_of_prepared_images_is_built_once(tmp_path: Path, chest: np.ndarray) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode(chest, "PNG"))
    records = [Record(path, "covid19", "p", "d", "test", "0")]
    first = np.array(open_cache(records, tmp_path / "cache"))
    path.unlink()

    assert np.array_equal(open_cache(records, tmp_path / "cache"), first)


def test_network_scales_pixels_by_its_preprocessing() -> None:
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 1, 1, 3)

    unit = Scale(UNIT_RANGE)(pixels)
    imagenet = Scale(IMAGENET)(pixels)

    assert torch.allclose(unit.flatten(), torch.tensor([0.0, 0.2, 1.0]))
    assert imagenet.shape == (1, 3, 1, 3)
    assert torch.allclose(imagenet[0, 1, 0], (torch.tensor([0.0, 0.2, 1.0]) - 0.456) / 0.224)
