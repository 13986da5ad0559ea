"""The one radiograph of a DICOM file: what must hold before a pixel is decoded, then its pixels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom.dataset import FileDataset
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import get_expected_length
from pydicom.uid import UID, RLELossless

from chestxray import costs
from chestxray.dicom import codecs, greys, syntaxes
from chestxray.errors import (
    MultiFrameImage,
    TruncatedImage,
    UnreadableImage,
    UnsupportedVariant,
)
from chestxray.greys import Values

_NEEDED = ("Rows", "Columns", "BitsAllocated", "BitsStored", "PhotometricInterpretation")
_MONOCHROME = ("MONOCHROME1", "MONOCHROME2")
_COLOURS = ("RGB", "PALETTE COLOR", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_BITS = (8, 16)
_UNCHANGED: Any = {"correct_unused_bits": False}
"""pydicom assumes that the unused bits are the upper ones."""


@dataclass(frozen=True)
class Film:
    """The picture in a data set; `size` is (width, height)."""

    dataset: FileDataset
    size: tuple[int, int]
    components: int
    allocated: int
    bits: int
    high_bit: int

    @property
    def colour(self) -> bool:
        return self.dataset.PhotometricInterpretation not in _MONOCHROME

    @property
    def seconds(self) -> float:
        """Estimated CPU time to decode it, if it says as little as it can."""
        width, height = self.size
        coded = self.dataset.file_meta.TransferSyntaxUID not in syntaxes.NATIVE
        per_value = costs.DICOM_PIXEL + costs.DICOM_CODED_PIXEL * coded
        return width * height * (costs.PIXEL + self.components * per_value)

    def grey(self) -> Values:
        """Decodes the grey values (H, W), larger is brighter."""
        stored = self._stored()
        if self.colour:
            decoded = _has_codec(self.dataset.file_meta.TransferSyntaxUID)
            return greys.of_colours(stored, self.dataset, as_rgb=decoded)
        return greys.of_monochrome(stored, self.dataset)

    def _stored(self) -> Values:
        syntax = self.dataset.file_meta.TransferSyntaxUID
        if syntax in syntaxes.NATIVE:
            return self._native()
        frame = get_frame(self.dataset.PixelData, 0, number_of_frames=1)
        if syntax == RLELossless:
            values = codecs.decode_rle(frame, self.size, self.components, self.allocated)
            return self._meant(values, self.bits, self.high_bit)
        codec = codecs.of(syntax)
        rgb = self.dataset.PhotometricInterpretation == "RGB"
        values = codecs.decode(codec, frame, self.size, self.components, rgb=rgb)
        bits = codec.describe(frame).bits
        if self._signed:  # the sign is where the header says; else a wrong header loses nothing
            bits = min(bits, self.bits)
        return self._meant(values, bits, bits - 1)

    @property
    def _signed(self) -> bool:
        return bool(self.dataset.get("PixelRepresentation", 0) == 1)

    def _native(self) -> Values:
        expected, found = get_expected_length(self.dataset), len(self.dataset.PixelData)
        if found < expected:
            raise TruncatedImage(
                f"the DICOM file has {found} bytes of pixels where its header says {expected}; "
                "send it whole"
            )
        decoder = get_decoder(self.dataset.file_meta.TransferSyntaxUID)
        values, _ = decoder.as_array(self.dataset, raw=True, index=0, **_UNCHANGED)
        return self._meant(values, self.bits, self.high_bit)

    def _meant(self, values: Values, bits: int, high_bit: int) -> Values:
        """Values without what else lies in their words, and with their sign (PS3.5, 8.1.1)."""
        if values.ndim > 2:
            return values
        width = 8 * values.dtype.itemsize
        values = values.astype(values.dtype.newbyteorder("="), copy=False)
        values = values.view(f"{'i' if self._signed else 'u'}{values.dtype.itemsize}")
        if bits == width:
            return values
        return np.right_shift(np.left_shift(values, width - 1 - high_bit), width - bits)


def find(dataset: FileDataset) -> Film:
    """Checks what the header says of the picture, before anything of it is decoded.

    Raises UnreadableImage, UnsupportedVariant, MultiFrameImage or TruncatedImage.
    """
    if "FloatPixelData" in dataset or "DoubleFloatPixelData" in dataset:
        raise _unsupported("pixels in floating point")
    if "PixelData" not in dataset:
        raise UnreadableImage("the DICOM file has no image; send the object that has one")
    if missing := [name for name in _NEEDED if dataset.get(name) in (None, "")]:
        raise UnreadableImage(f"the DICOM file does not say {', '.join(missing)}; it is damaged")
    if (dataset.get("NumberOfFrames") or 1) != 1:
        raise MultiFrameImage("the DICOM file has several frames; send one radiograph per file")
    _guess_syntax(dataset)
    film = Film(
        dataset,
        size=(int(dataset.Columns), int(dataset.Rows)),
        components=int(dataset.get("SamplesPerPixel") or 1),
        allocated=int(dataset.BitsAllocated),
        bits=int(dataset.BitsStored),
        high_bit=int(dataset.get("HighBit") or dataset.BitsStored - 1),
    )
    _check(film)
    return film


def _check(film: Film) -> None:
    interpretation = film.dataset.PhotometricInterpretation
    if interpretation not in (*_MONOCHROME, *_COLOURS):
        raise _unsupported(
            "a photometric interpretation other than monochrome, RGB, YBR or a palette"
        )
    if film.allocated not in _BITS or not 1 <= film.bits <= film.high_bit + 1 <= film.allocated:
        raise _unsupported(f"pixels of {film.bits} bits in {film.allocated}")
    if min(film.size) < 1:
        raise UnreadableImage("the DICOM file says that its image has no pixels; it is damaged")
    three = film.colour and interpretation != "PALETTE COLOR"
    if film.components != (3 if three else 1):
        raise UnreadableImage(
            f"the DICOM file says {film.components} values per pixel and {interpretation}; "
            "it is damaged"
        )
    syntax = film.dataset.file_meta.TransferSyntaxUID
    if _has_codec(syntax):
        codecs.of(syntax)


def _has_codec(syntax: UID) -> bool:
    return syntax not in (*syntaxes.NATIVE, RLELossless)


def _guess_syntax(dataset: FileDataset) -> None:
    """Names the transfer syntax of a file without meta information, as it was parsed."""
    if "TransferSyntaxUID" not in dataset.file_meta:
        dataset.file_meta.TransferSyntaxUID = next(
            syntax
            for syntax in syntaxes.NATIVE
            if (syntax.is_implicit_VR, syntax.is_little_endian) == dataset.original_encoding
        )


def _unsupported(found: str) -> UnsupportedVariant:
    return UnsupportedVariant(
        f"the DICOM file has {found}, which is not supported; export 8 to 16 bits of grey",
        found=found,
    )
