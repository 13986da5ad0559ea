"""Whatever a DICOM file says, the answer is a reading or an error of ours, in bounded work."""

import random
import struct
import zlib

import imagecodecs
import numpy as np
import pydicom.uid as uids
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from chestxray.errors import (
    ImageTooCostly,
    ImageTooLarge,
    PolyglotFile,
    RejectedImage,
    TruncatedImage,
    UnreadableImage,
)
from chestxray.images import read
from chestxray.limits import Limits
from tests import dicoms
from tests.dicoms import RAMP

_EVERY = dicoms.LOSSLESS | dicoms.LOSSY


@pytest.mark.parametrize("name", _EVERY)
def test_file_cut_off_anywhere_is_refused(name: str) -> None:
    whole = _EVERY[name](dicoms.dataset(RAMP))

    # Without the last words, which end the sequence of fragments, the picture is whole.
    for length in range(133, len(whole) - 16, len(whole) // 40):
        with pytest.raises(RejectedImage):
            read(whole[:length])


@pytest.mark.parametrize("name", _EVERY)
def test_damaged_file_is_read_or_refused(name: str) -> None:
    whole, chance = _EVERY[name](dicoms.dataset(RAMP)), random.Random(name)
    refused = 0
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            read(bytes(damaged), limits=Limits(max_pixels=10**6))
        except RejectedImage:
            refused += 1
    assert refused


def test_missing_pixels_are_told_from_damage() -> None:
    short = dicoms.dataset(RAMP)
    short.PixelData = short.PixelData[:-100]

    with pytest.raises(TruncatedImage, match="8092 bytes of pixels where its header says 8192"):
        read(dicoms.file(short))


_CODESTREAMS = [name for name in _EVERY if "JPEG" in name or name == "HTJ2K"]


@pytest.mark.parametrize("name", _CODESTREAMS)
def test_codestream_of_another_size_is_not_decoded(name: str) -> None:
    made = dicoms.dataset(np.zeros((600, 600), np.uint16))
    written = _EVERY[name](made)
    made.Rows = made.Columns = 64

    assert len(written)
    with pytest.raises(UnreadableImage, match=r"64x64 pixels .* 600x600"):
        read(dicoms.file(made))


@pytest.mark.parametrize("name", ["JPEG-LS", "JPEG 2000", "RLE", "explicit VR little endian"])
def test_pixel_limit_holds_before_decoding(name: str) -> None:
    film = _EVERY[name](dicoms.dataset(np.zeros((600, 600), np.uint16)))

    with pytest.raises(ImageTooLarge, match="600x600 = 360000 pixels"):
        read(film, limits=Limits(max_pixels=359_999))


@pytest.mark.parametrize("name", ["JPEG-LS", "JPEG 2000", "HTJ2K"])
def test_small_file_of_many_pixels_is_too_costly(name: str) -> None:
    film = _EVERY[name](dicoms.dataset(np.zeros((5000, 5000), np.uint16)))
    assert len(film) < 100_000

    with pytest.raises(ImageTooCostly):
        read(film)


def test_jpeg_of_many_scans_is_not_decoded() -> None:
    made = dicoms.dataset(RAMP)
    frame = bytes(imagecodecs.jpeg8_encode(RAMP, bitspersample=12))
    scan = frame[frame.index(b"\xff\xda") : -2]
    made.PixelData = encapsulate([frame[:-2] + 100 * scan + frame[-2:]])
    made["PixelData"].VR = "OB"
    made.file_meta.TransferSyntaxUID = uids.JPEGExtended12Bit

    with pytest.raises(UnreadableImage, match="more scans"):
        read(dicoms.file(made))


def test_rle_that_expands_beyond_the_picture_is_refused() -> None:
    made = dicoms.dataset(RAMP)
    made.compress(uids.RLELossless)
    runs = b"\x81\0" * 10**6  # each is 128 zeros
    header = struct.pack("<16I", 2, 64, 64 + len(runs), *([0] * 13))
    made.PixelData = encapsulate([header + runs + runs])

    with pytest.raises(UnreadableImage):
        read(dicoms.file(made))


def deflated(content: bytes) -> bytes:
    """A deflated file with this data set."""
    made = dicoms.dataset(RAMP)
    whole = dicoms.LOSSLESS["deflated"](made)
    start = whole.index(uids.DeflatedExplicitVRLittleEndian.encode()) + 22
    compressor = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    meta_end = 144 + struct.unpack_from("<I", whole, 140)[0]
    assert start <= meta_end
    return whole[:meta_end] + compressor.compress(content) + compressor.flush()


def test_deflated_bomb_is_stopped_at_the_limit() -> None:
    bomb = deflated(bytes(30 * 10**6))
    assert len(bomb) < 10**5

    with pytest.raises(ImageTooLarge, match="inflated"):
        read(bomb, limits=Limits(max_bytes=10**6))


def test_deflated_file_that_ends_early_is_truncated() -> None:
    whole = dicoms.LOSSLESS["deflated"](dicoms.dataset(RAMP))

    with pytest.raises(TruncatedImage):
        read(whole[:-40])


def test_sequences_within_sequences_are_refused() -> None:
    opening = struct.pack("<HH2sHI", 0x0028, 0x3010, b"SQ", 0, 0xFFFFFFFF)
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    head = dicoms.film(RAMP)
    meta_end = 144 + struct.unpack_from("<I", head, 140)[0]

    with pytest.raises(UnreadableImage):
        read(head[:meta_end] + (opening + item) * 50_000)


def test_element_longer_than_the_file_is_refused() -> None:
    head = dicoms.film(RAMP)
    meta_end = 144 + struct.unpack_from("<I", head, 140)[0]
    lying = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, 0xFFFFFFF0)

    with pytest.raises(UnreadableImage):
        read(head[:meta_end] + lying + bytes(1000))


@pytest.mark.parametrize(
    "start", [b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"MZ\x90", b"\x7fELF"]
)
def test_preamble_of_another_format_is_refused(start: bytes) -> None:
    with pytest.raises(PolyglotFile):
        read(start.ljust(128, b"\0") + dicoms.film(RAMP)[128:])


def test_preamble_of_tiff_is_ignored() -> None:
    """It is an example of PS3.10, 7.1, and real files have it."""
    whole = dicoms.film(RAMP)

    tagged = read(b"II*\0\x08\0\0\0".ljust(128, b"\0") + whole[128:])

    np.testing.assert_array_equal(tagged.values, read(whole).values)


def test_markup_behind_the_image_is_refused() -> None:
    with pytest.raises(PolyglotFile):
        read(dicoms.film(RAMP) + b"<script>alert(1)</script>")


def test_lookup_table_shorter_than_it_says_is_refused_or_ignored() -> None:
    item = Dataset()
    item.LUTDescriptor = [4096, 0, 16]
    item.add_new("LUTData", "US", [1, 2, 3])

    with pytest.raises(RejectedImage):
        read(dicoms.film(RAMP, VOILUTSequence=[item]))
