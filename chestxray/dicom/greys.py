"""From stored values to what a viewer shows: modality LUT, VOI LUT, polarity (PS3.4, N.2).

The steps are done once for each value that a pixel can have, not for each pixel.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut

from chestxray.greys import BAND_BYTES, Values, luma

_MAX_GREY = 2**16 - 1


def of_monochrome(stored: Values, header: Dataset) -> npt.NDArray[np.uint16]:
    """Grey values (H, W) of stored ones (H, W), linearly scaled to 16 bits; larger is brighter."""
    low = stored.min()
    offsets = stored.view(f"u{stored.itemsize}") - low.view(f"u{stored.itemsize}")
    occurs = np.zeros(int(offsets.max()) + 1, np.bool_)
    for rows in _bands(offsets):
        occurs[offsets[rows]] = True
    possible = np.arange(len(occurs)) + int(low)
    image = occurs & ~_padding(possible, header)
    shown = _voi(apply_modality_lut(possible, header), header).astype(np.float64)
    if _is_inverted(header):
        shown = -shown
    table = _to_16_bits(shown, image)
    made = np.empty(stored.shape, np.uint16)
    for rows in _bands(offsets):
        made[rows] = table[offsets[rows]]
    return made


def _bands(values: Values) -> Iterator[slice]:
    """Rows to index by at a time: numpy takes eight bytes for each index."""
    rows = max(1, BAND_BYTES // (8 * values.shape[1]))
    return (slice(top, top + rows) for top in range(0, len(values), rows))


def _to_16_bits(shown: Values, image: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint16]:
    """Scales the values of the image to the whole range; all others become black."""
    if not image.any():
        return np.zeros(shown.shape, np.uint16)
    darkest, brightest = shown[image].min(), shown[image].max()
    scale = _MAX_GREY / (brightest - darkest) if brightest > darkest else 0.0
    scaled = np.round((np.where(image, shown, darkest) - darkest) * scale)
    return np.asarray(scaled, np.uint16)


def of_colours(stored: Values, header: Dataset, *, as_rgb: bool) -> Values:
    """Grey values (H, W) of colours (H, W, 3), or of indices (H, W) into the palette.

    `as_rgb` says that the colours are RGB whatever the header says, since a codec decoded them.
    """
    if header.PhotometricInterpretation == "PALETTE COLOR":
        stored = apply_color_lut(stored, header)
    elif header.PhotometricInterpretation.startswith("YBR_FULL") and not as_rgb:
        return np.ascontiguousarray(stored[..., 0])
    return luma(stored)


def _voi(values: Values, header: Dataset) -> Values:
    """Applies the first VOI LUT, or else the first window; none that the standard forbids."""
    if header.get("VOILUTSequence"):
        return np.asarray(apply_voi_lut(np.round(values).astype(np.int64), header))
    return np.asarray(apply_voi_lut(values, header)) if _has_window(header) else values


def _has_window(header: Dataset) -> bool:
    """A linear window is at least 1 wide, any other wider than 0 (PS3.3, C.11.2.1.2 and .3)."""
    widths = np.atleast_1d(np.array(header.get("WindowWidth") or [], dtype=np.float64))
    centers = np.atleast_1d(np.array(header.get("WindowCenter") or [], dtype=np.float64))
    if not (widths.size and centers.size and np.isfinite([widths[0], centers[0]]).all()):
        return False
    linear = header.get("VOILUTFunction", "LINEAR") == "LINEAR"
    return bool(widths[0] >= 1) if linear else bool(widths[0] > 0)


def _is_inverted(header: Dataset) -> bool:
    shape: str = header.get("PresentationLUTShape", "")
    interpretation: str = header.PhotometricInterpretation
    return interpretation == "MONOCHROME1" or shape == "INVERSE"


def _padding(values: Values, header: Dataset) -> npt.NDArray[np.bool_]:
    """Which stored values are padding, not image (PS3.3, C.7.5.1.1.2)."""
    first = header.get("PixelPaddingValue")
    if first is None:
        return np.zeros(values.shape, np.bool_)
    last = header.get("PixelPaddingRangeLimit", first)
    return np.asarray((values >= min(first, last)) & (values <= max(first, last)))
