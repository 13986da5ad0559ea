"""From values of any range to 8 bits."""

import numpy as np
import numpy.typing as npt

# Windowing ignores this share of the darkest and of the brightest pixels (burned-in labels).
_WINDOW_PERCENTILES = (0.1, 99.9)
_WINDOW_SAMPLE_SIDE = 512
# No radiograph is longer than so many times its width: one that is loses detail along its length
# before it takes memory for all of its pixels.
_LONGEST_ASPECT = 4


def steps(size: tuple[int, int], least: int) -> tuple[int, int]:
    """How many pixels count as one along each side, so that at least so many are left of them."""
    step = max(1, min(size) // least)
    first, second = (max(step, side // (_LONGEST_ASPECT * least)) for side in size)
    return first, second


@np.errstate(invalid="ignore", over="ignore")  # crafted floats, which numpy would name in the log
def window(values: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Maps values of any range (H, W) linearly to 8 bits, clipping the extreme permille."""
    height, width = values.shape
    down, across = steps((height, width), _WINDOW_SAMPLE_SIDE)
    sample = values[::down, ::across].astype(np.float64)
    finite = sample[np.isfinite(sample)]
    low, high = np.percentile(finite, _WINDOW_PERCENTILES) if finite.size else (0.0, 0.0)
    scale = 255.0 / (high - low) if high > low else 0.0
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        table = _to_bytes(np.arange(2**16), low, scale)
        return np.asarray(table[values])
    return _to_bytes(values, low, scale)


def _to_bytes(values: npt.NDArray[np.generic], low: float, scale: float) -> npt.NDArray[np.uint8]:
    scaled = (values.astype(np.float32) - np.float32(low)) * np.float32(scale)
    return np.asarray(np.clip(np.nan_to_num(scaled), 0, 255).round(), np.uint8)
