"""Readers' annotations of lungs and opacities, rasterised in the frame of the network's input."""

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from tqdm import tqdm

from chestxray.cores import usable_cores
from chestxray.images import crop_and_window, read
from chestxray.labels import Finding
from training.datasets.records import Box, Record, Regions

SIDE = 56
"""4x4 of its cells make one cell of the network's 14x14 map."""
OPACITIES, LUNGS = 0, 1
"""Channels."""
_FINE = 4 * SIDE
_WHOLE: Box = (0.0, 0.0, 1.0, 1.0)

Drawn = npt.NDArray[np.uint8]


class RegionMaps(NamedTuple):
    """Regions of all records, row by row."""

    drawn: Drawn  # uint8 (N, 2, SIDE, SIDE), share of each cell that is covered, of 255
    known: npt.NDArray[np.bool_]  # (N, 2): whether the channel is annotated for this image


def open_regions(records: Sequence[Record], folder: Path) -> RegionMaps:
    """Rasterises the regions of all records; caches them in the folder.

    An image without finding has no opacities, which is known without annotation.
    """
    path = folder / f"{_key(records)}.regions.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        drawn = np.zeros((len(records), 2, SIDE, SIDE), np.uint8)
        chosen = [i for i, r in enumerate(records) if r.regions != Regions()]
        with ProcessPoolExecutor(usable_cores()) as pool:
            found = pool.map(rasterise, (records[i] for i in chosen), chunksize=64)
            for i, one in zip(chosen, tqdm(found, "regions", len(chosen)), strict=True):
                drawn[i] = one
        partial = path.with_suffix(f".{os.getpid()}.npz")  # several runs may rasterise concurrently
        np.savez_compressed(partial, drawn=drawn)
        partial.replace(path)
    return RegionMaps(np.load(path)["drawn"], np.array([_known(r) for r in records]))


def rasterise(record: Record) -> Drawn:
    """Returns uint8 (2, SIDE, SIDE) in the frame of the crop to the radiograph."""
    film = crop_and_window(read(record.path.read_bytes()), least_side=0).input.film or _WHOLE
    regions = record.regions
    lungs = (regions.lungs,) if regions.lungs else ()
    return np.stack(
        [
            _channel(regions.opacities, regions.infection_mask, film),
            _channel(lungs, regions.lung_mask, film),
        ]
    )


def _known(record: Record) -> tuple[bool, bool]:
    regions = record.regions
    opacities = bool(regions.opacities or regions.infection_mask)
    healthy = record.label == Finding.NO_FINDING and record.confirmed
    return opacities or healthy, bool(regions.lungs or regions.lung_mask)


def _channel(boxes: Sequence[Box], mask: Path | None, film: Box) -> Drawn:
    canvas = Image.new("L", (_FINE, _FINE))
    if mask:
        with Image.open(mask) as opened:
            whole = opened.convert("L")
        left, top, right, bottom = film
        width, height = whole.size
        edges = (left * width, top * height, right * width, bottom * height)
        canvas = whole.resize(canvas.size, Image.Resampling.BOX, box=edges)
        canvas = canvas.point(lambda level: 255 if level > 127 else 0)
    pen = ImageDraw.Draw(canvas)
    for box in boxes:
        pen.rectangle(_within(box, film), fill=255)
    return np.asarray(canvas.resize((SIDE, SIDE), Image.Resampling.BOX))


def _within(box: Box, film: Box) -> tuple[float, float, float, float]:
    """Pixels of a box on the canvas, which shows only the crop."""
    left, top, right, bottom = film
    x0, x1 = (_FINE * (x - left) / (right - left) for x in (box[0], box[2]))
    y0, y1 = (_FINE * (y - top) / (bottom - top) for y in (box[1], box[3]))
    return x0, y0, max(x0, x1 - 1), max(y0, y1 - 1)


def _key(records: Sequence[Record]) -> str:
    lines = json.dumps([[r.sha256, repr(r.regions), r.label, r.confirmed] for r in records])
    return hashlib.sha256(lines.encode()).hexdigest()[:16]
