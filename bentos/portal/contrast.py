"""Contrast of colours, as WCAG 2.2 defines it (relative luminance; success criterion 1.4.3)."""

LEAST = 4.5
"""Of text of any size on what is behind it, for level AA."""
LEAST_OF_GRAPHICS = 3
"""Of what is to be seen in a picture (1.4.11)."""
_WEIGHTS = (0.2126, 0.7152, 0.0722)  # of red, green and blue


def ratio(first: str, second: str) -> float:
    """Returns the contrast ratio of two colours, `#rrggbb` each: 1 to 21."""
    darker, lighter = sorted((_luminance(first), _luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    return sum(w * _linear(each) for w, each in zip(_WEIGHTS, channels, strict=True))


def _linear(channel: float) -> float:
    if channel <= 0.04045:
        return channel / 12.92
    return float(((channel + 0.055) / 1.055) ** 2.4)
