"""Cache of all images, decoded and preprocessed by the serving code, as a memory-mapped
uint8 file.
"""

import hashlib
import inspect
import json
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from chestxray import film, images, preprocessing, windowing
from chestxray.cores import usable_cores
from chestxray.preprocessing import SIZE, prepare
from training.datasets import dicom
from training.datasets.records import Record

Pixels = npt.NDArray[np.uint8]


def open_cache(records: Sequence[Record], folder: Path) -> Pixels:
    """Returns uint8 (N, SIZE, SIZE) in the order of the records; builds the file if necessary."""
    path = folder / f"{_key(records)}.npy"
    if not path.exists():
        _build(records, path)
    pixels: Pixels = np.load(path, mmap_mode="r")
    return pixels


def read(path: Path) -> Pixels:
    """Decodes and preprocesses a file as the gateway does, or a DICOM: uint8 (1, SIZE, SIZE)."""
    if path.suffix.lower() == ".dcm":
        return prepare(dicom.decode(path))
    return images.crop_and_window(images.read(path.read_bytes()), least_side=0).pixels


def data_digest(records: Sequence[Record]) -> str:
    """Returns a digest of a set of records: of image digests, labels and patients."""
    lines = sorted(f"{r.sha256} {r.label} {r.patient}" for r in records)
    return "sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _key(records: Sequence[Record]) -> str:
    code = [inspect.getsource(module) for module in (film, images, preprocessing, windowing)]
    source = json.dumps([code, [r.sha256 + str(r.path) for r in records]])
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def _build(records: Sequence[Record], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial")  # several runs may build it concurrently
    shape = (len(records), SIZE, SIZE)
    pixels = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
    with ProcessPoolExecutor(usable_cores()) as pool:
        rows = pool.map(read, [r.path for r in records], chunksize=64)
        for i, row in enumerate(tqdm(rows, total=len(records), desc="decode", unit="image")):
            pixels[i] = row[0]
    pixels.flush()
    partial.replace(path)
