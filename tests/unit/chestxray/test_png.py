"""PNG: 16-bit colours are read at full depth, and unneeded chunks are ignored."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from chestxray import errors
from chestxray.images import decode, read
from tests.crafted import chunk
from tests.phantoms import encode, phantom

CHEST = phantom(121, 90)
PNG = encode(CHEST, "PNG")
SIGNATURE = b"\x89PNG\r\n\x1a\n"
DEEP = CHEST.astype(np.uint16) * 16 + np.random.default_rng(0).integers(
    0, 16, CHEST.shape, np.uint16
)
GREY, RGB, GREY_ALPHA, RGB_ALPHA = 0, 2, 4, 6


def png16(channels: np.ndarray, colour_type: int) -> bytes:
    """A PNG of 16-bit samples (H, W, channels), whose rows use the first three filters in turn."""
    height, width, each = channels.shape
    raw = channels.astype(">u2").reshape(height, -1).view(np.uint8)
    left = np.pad(raw, ((0, 0), (2 * each, 0)))[:, : raw.shape[1]]
    above = np.pad(raw, ((1, 0), (0, 0)))[:-1]
    filtered = (raw, raw - left, raw - above)
    rows = b"".join(bytes([y % 3]) + filtered[y % 3][y].tobytes() for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b"")]
    return SIGNATURE + b"".join(chunk(*part) for part in parts)


OPAQUE = np.full_like(DEEP, 65535)
KINDS = {
    GREY: [DEEP],
    RGB: [DEEP] * 3,
    GREY_ALPHA: [DEEP, OPAQUE],
    RGB_ALPHA: [DEEP] * 3 + [OPAQUE],
}


@pytest.mark.parametrize("colour_type", KINDS)
def test_16_bit_png_keeps_its_depth_with_colours_and_alpha(colour_type: int) -> None:
    """Found by review: Pillow drops the lower 8 bits, the most of 12-bit values in 16."""
    found = read(png16(np.dstack(KINDS[colour_type]), colour_type))

    assert np.array_equal(found.values, DEEP)
    assert found.input.bits == 16


def test_16_bit_colours_are_weighted_like_8_bit_colours() -> None:
    red, green, blue = DEEP, DEEP[::-1], DEEP[:, ::-1]
    luma = 0.299 * red + 0.587 * green + 0.114 * blue

    found = read(png16(np.dstack([red, green, blue]), RGB)).values

    assert np.abs(found - luma).max() <= 1


def test_damaged_16_bit_colour_png_is_rejected() -> None:
    data = bytearray(png16(np.dstack([DEEP] * 3), RGB))
    data[60:90] = b"\xff" * 30

    with pytest.raises(errors.UnreadableImage):
        read(bytes(data))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("mode", ["L", "P"])
def test_png_of_fewer_bits_is_scaled_to_8_bits(bits: int, mode: str) -> None:
    levels = 2**bits
    indices = (CHEST.astype(int) * levels // 256).astype(np.uint8)
    rows = b"".join(b"\0" + packed(row, bits) for row in indices)
    head = struct.pack(">IIBBBBB", 121, 90, bits, 3 if mode == "P" else 0, 0, 0, 0)
    greys = [round(255 * level / (levels - 1)) for level in range(levels)]
    palette = chunk(b"PLTE", bytes(np.repeat(greys, 3).astype(np.uint8))) if mode == "P" else b""
    body = chunk(b"IHDR", head) + palette + chunk(b"IDAT", zlib.compress(rows))

    found = read(SIGNATURE + body + chunk(b"IEND"))

    assert np.array_equal(found.values, np.array(greys, np.uint8)[indices])
    assert (found.input.bits, found.input.colour) == (bits, mode == "P")


def packed(row: np.ndarray, bits: int) -> bytes:
    digits = "".join(f"{value:0{bits}b}" for value in row.tolist())
    return bytes(int(digits[at : at + 8].ljust(8, "0"), 2) for at in range(0, len(digits), 8))


def with_chunks(*chunks: bytes) -> bytes:
    return PNG[:33] + b"".join(chunks) + PNG[33:]


XMP = b"XML:com.adobe.xmp\0"
TURNED = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="6"/>'
CHUNKS = {
    "texts of Photoshop": with_chunks(
        chunk(b"zTXt", XMP + b"\0" + zlib.compress(b"x" * 3_000_000)),
        chunk(b"iTXt", XMP + bytes(4) + b"x" * 3_000_000),
    ),
    "orientation in XMP": with_chunks(chunk(b"iTXt", XMP + bytes(4) + TURNED)),
    "gamma and sRGB": with_chunks(
        chunk(b"gAMA", struct.pack(">I", 100_000)), chunk(b"sRGB", b"\0"), chunk(b"sBIT", b"\5")
    ),
    "transparency": with_chunks(chunk(b"tRNS", struct.pack(">H", int(CHEST[0, 0])))),
    "wrong checksum of a text": with_chunks(struct.pack(">I", 3) + b"tEXta\0b" + bytes(4)),
    "profile that is none": with_chunks(chunk(b"iCCP", b"x\0\0no profile")),
}


@pytest.mark.parametrize("name", CHUNKS)
def test_ancillary_chunks_do_not_change_the_pixels(name: str) -> None:
    found = read(CHUNKS[name])

    assert np.array_equal(found.values, CHEST)
    assert found.orientation == 1


@pytest.mark.parametrize("kind", [b"eXIf", b"zTXt"])
def test_exif_orientation_of_a_png_is_applied(kind: bytes) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    if kind == b"eXIf":
        data = encode(CHEST, "PNG", exif=exif)
    else:  # as ImageMagick writes it
        profile = exif.tobytes()
        text = f"\nexif\n{len(profile):8}\n{profile.hex()}\n".encode()
        raw = b"Raw profile type exif\0\0" + zlib.compress(text)
        data = with_chunks(chunk(b"zTXt", raw))

    assert decode(data).size == CHEST.shape


def test_animated_png_is_rejected() -> None:
    file = io.BytesIO()
    frames = [Image.fromarray(CHEST), Image.fromarray(255 - CHEST)]
    frames[0].save(file, "PNG", save_all=True, append_images=frames[1:])

    with pytest.raises(errors.MultiFrameImage):
        read(file.getvalue())


def test_rejection_of_an_ios_png_names_the_variant() -> None:
    data = PNG[:8] + chunk(b"CgBI", b"P\0 \2") + PNG[8:]

    with pytest.raises(errors.UnsupportedVariant, match="iOS"):
        read(data)


def test_text_chunks_never_reach_the_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("a text was read")

    monkeypatch.setattr(PngImagePlugin.PngStream, "chunk_zTXt", fail)

    assert decode(CHUNKS["texts of Photoshop"]).size == (121, 90)


def test_png_without_a_leading_header_is_rejected() -> None:
    """Found by fuzzing: a later header was used, with the size read from the first chunk."""
    whole = png16(np.zeros((4, 5, 3), np.uint16), RGB)

    with pytest.raises(errors.UnreadableImage, match="begin with its header"):
        read(whole[:12] + b"tRNS" + whole[16:33] + whole[8:])
