"""What an image may have at most, and which kinds of file are accepted."""

from dataclasses import dataclass

LEAST_FILM_SIDE = 160
"""Minimum shorter side of the radiograph, in pixels of the file; below it, detail is lost."""

# Share of the pixel limit that applies to WebP: its decoder needs 16 bytes per pixel.
_WEBP_SHARE = 0.75


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Maximum size of an image.

    5120x5120 pixels cover a 43x43 cm detector at 100 µm (4267x4267), a 14x17 inch film at 300 dpi
    (4200x5100) and a 24-megapixel phone camera (6016x4016). The byte limit fits that many RGB or
    16-bit grey pixels uncompressed.
    """

    max_bytes: int = 80 * 2**20
    max_pixels: int = 5120 * 5120
    secondary_capture: bool = True
    """Whether DICOM's secondary captures are accepted: screenshots, scans, results of programs."""

    @property
    def max_webp_pixels(self) -> int:
        """Pixel limit for WebP, whose decoder needs more memory per pixel."""
        return int(self.max_pixels * _WEBP_SHARE)


DEFAULT_LIMITS = Limits()
