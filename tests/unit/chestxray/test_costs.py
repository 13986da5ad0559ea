"""Decoding cost is predicted before decoding and bounded by the file's size."""

import contextlib
import zlib
from collections.abc import Callable

import numpy as np
import pytest

from chestxray import costs
from chestxray.errors import AnalysisError, ImageTooCostly, ImageTooLarge, UnreadableImage
from chestxray.images import decode
from chestxray.limits import Limits
from chestxray.preprocessing import prepare
from tests import costly
from tests.cpu_time import least_cpu_seconds
from tests.crafted import STRIP, chunk, tiff
from tests.phantoms import encode, phantom
from tests.predicted import predicted_seconds

SIDE = 1024
CHEST = phantom(2500, 3000)
LARGE = Limits(max_bytes=2**30, max_pixels=2**30)


def decoding_seconds(data: bytes) -> float:
    """The CPU time of decoding, whether it succeeds or not."""

    def attempt() -> None:
        with contextlib.suppress(AnalysisError):
            prepare(decode(data))

    return least_cpu_seconds(attempt)


@pytest.mark.parametrize("kind", costly.KINDS)
def test_costly_file_is_handled_in_time_proportional_to_its_size(kind: str) -> None:
    data = costly.cached_file(kind, SIDE)

    seconds = decoding_seconds(data)

    assert seconds < 1
    assert seconds < 0.025 + 5 * len(data) / 2**20


@pytest.mark.parametrize("kind", [name for name in costly.KINDS if "texts" not in name])
def test_predicted_cost_is_an_upper_bound_of_the_decoding_time(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = costly.cached_file(kind, SIDE)
    try:
        bound = predicted_seconds(data) + costs.FREE_SECONDS
    except UnreadableImage:
        return
    monkeypatch.setattr(costs, "check", lambda *_: None)

    assert decoding_seconds(data) < bound


@pytest.mark.parametrize("compression", costly.TILES)
@pytest.mark.parametrize("count", [4096, 60_000])
def test_tiff_with_many_tiles_sharing_data_is_rejected_at_once(
    compression: int, count: int
) -> None:
    """A file of 24 KB once kept both decoders busy for 75 s."""
    data = costly.tiff_of_tiles(count, compression=compression, tile=costly.TILES[compression])

    def attempt() -> None:
        with pytest.raises((ImageTooCostly, ImageTooLarge)):
            decode(data, limits=LARGE)

    assert least_cpu_seconds(attempt) < 0.2


@pytest.mark.parametrize("length", [64, 512, 4096])
def test_tiles_larger_than_the_image_are_counted_at_full_size(length: int) -> None:
    tile = zlib.compress(bytes(512 * length), 9)
    data = costly.tiff_of_tiles(60, compression=8, tile=tile, length=length)

    assert predicted_seconds(data) > 60 * 512 * length * costs.TIFF_DECODED_BYTE


def test_cost_counts_each_plane() -> None:
    tile = (zlib.compress(bytes(4096), 9),)
    one, four = (
        costly.tiff(
            *((256, 4, (64,)), (257, 4, (64,)), (258, 3, (8,) * samples), (259, 3, (8,))),
            *((262, 3, (1,)), (277, 3, (samples,)), (284, 3, (2,)), (278, 4, (64,))),
            *((273, 4, (0,) * samples), (279, 4, (len(tile[0]),) * samples)),
            data=tile[0],
        )
        for samples in (1, 4)
    )

    assert predicted_seconds(four) - predicted_seconds(one) > 3 * 4096 * costs.TIFF_DECODED_BYTE


def test_cost_of_packbits_strips_without_pixels_counts_their_length() -> None:
    """PackBits bytes of value 0x80 produce no pixels."""
    data = costly.tiff_of_strips(8000, compression=32773, strip=b"\x80" * 50_000, width=8)

    with pytest.raises(ImageTooCostly):
        decode(data)


def test_overlapping_jpeg_tiles_are_rejected() -> None:
    with pytest.raises(UnreadableImage, match="overlap"):
        decode(costly.cached_file("tiff of jpeg tiles", SIDE))


@pytest.mark.parametrize("scans", [30, 40])
def test_cost_counts_the_scans_of_a_jpeg_in_a_tiff(scans: int) -> None:
    plain, data = (
        costly.tiff_of_tiles(1, compression=7, tile=costly.jpeg_tile(count)) for count in (8, scans)
    )

    assert (
        predicted_seconds(data) - predicted_seconds(plain) > (scans - 8) * 64 * 64 * costs.JPEG_PASS
    )


def test_jpeg_with_too_many_scans_in_a_tiff_is_rejected() -> None:
    with pytest.raises(UnreadableImage, match="scans"):
        decode(costly.tiff_of_tiles(1, compression=7, tile=costly.jpeg_tile(60)))


def test_cost_of_a_jpeg_larger_than_its_tiff_tile_counts_its_own_size() -> None:
    small = costly.tiff_of_tiles(1, compression=7, tile=encode(CHEST[:512, :512], "JPEG"))
    large = costly.tiff_of_tiles(1, compression=7, tile=encode(CHEST, "JPEG"))

    assert predicted_seconds(large) > 10 * predicted_seconds(small)


def test_image_in_the_jpeg_tables_of_a_tiff_is_rejected() -> None:
    tables = encode(CHEST, "JPEG")
    field = (347, 7, len(tables), 400)

    with pytest.raises(UnreadableImage, match="tables"):
        decode(tiff(*STRIP[:2], (279, 4, 1, 1), (259, 3, 1, 7), field, data=tables))


@pytest.mark.parametrize(
    "fields",
    [
        ((322, 4, 1, 1),),  # libtiff would read 40 tiles of the one strip
        ((322, 4, 1, 1), (323, 4, 1, 1)),
        ((322, 4, 1, 16), (323, 4, 1, 16), (324, 4, 1, 400)),
    ],
)
def test_tiff_page_with_both_strips_and_tiles_is_rejected(
    fields: tuple[tuple[int, int, int, int]],
) -> None:
    with pytest.raises(UnreadableImage, match="strips and tiles"):
        predicted_seconds(tiff(*STRIP, *fields, data=bytes(400)))


def test_cost_counts_a_large_page_after_a_small_one() -> None:
    """Whichever page a reader would choose."""
    small, blank = tiff(*STRIP), tiff(*STRIP, (256, 4, 1, 30_000), (257, 4, 1, 30_000))
    chained = small[:72] + small[72 : 72 + 2 + 12 * 8] + (400).to_bytes(4, "little")
    data = chained.ljust(400, b"\0") + blank[72:400]

    assert predicted_seconds(data) > 1


def test_tiff_with_many_fields_sharing_values_is_rejected() -> None:
    with pytest.raises(UnreadableImage, match="fields for one picture"):
        decode(costly.cached_file("tiff of fields", 3000))


def test_png_text_chunks_are_never_inflated() -> None:
    film = encode(CHEST, "PNG")
    text = zlib.compress(bytes(2**20), 9)
    bombs = b"".join(chunk(b"zTXt", b"k%d\0\0" % number + text) for number in range(60))

    alone = decoding_seconds(film)
    among = decoding_seconds(film[:33] + bombs + film[33:])

    assert among < 2 * alone + 0.02  # 60 MB would take 0.1 s to inflate


@pytest.mark.parametrize("size", [(2**15 + 1, 1), (1, 2**15 + 1)])
@pytest.mark.parametrize("format_", ["PNG", "TIFF", "BMP", "JPEG"])
def test_image_with_a_side_above_the_limit_is_rejected(format_: str, size: tuple[int, int]) -> None:
    """Besides the image, a decoder holds rows, at 19 bytes per pixel of a row."""
    with pytest.raises(ImageTooLarge, match="the limit is 32768 along a side"):
        decode(encode(np.ones(size, np.uint8), format_))


RADIOGRAPHS: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: encode(CHEST, "JPEG", quality=60),
    "jpeg progressive": lambda: encode(CHEST, "JPEG", quality=60, progressive=True),
    "jpeg in colours": lambda: encode(CHEST, "JPEG", mode="RGB", quality=75),
    "png": lambda: encode(CHEST, "PNG"),
    "png of 16 bits": lambda: encode(CHEST.astype(np.uint16) * 16, "PNG"),
    "png in colours": lambda: encode(CHEST, "PNG", mode="RGBA"),
    "tiff": lambda: encode(CHEST, "TIFF"),
    "tiff lzw": lambda: encode(CHEST.astype(np.uint16), "TIFF", compression="tiff_lzw"),
    "tiff of rows": lambda: encode(CHEST.astype(np.uint16), "TIFF", strip_size=2500 * 2),
    "tiff of floats": lambda: encode(
        CHEST.astype(np.float32), "TIFF", compression="tiff_adobe_deflate"
    ),
    "tiff jpeg": lambda: encode(CHEST, "TIFF", compression="jpeg"),
    "webp": lambda: encode(CHEST[:2000, :2000], "WEBP", quality=80),
    "webp lossless": lambda: encode(CHEST[:2000, :2000], "WEBP", lossless=True, method=0),
    "bmp": lambda: encode(CHEST, "BMP"),
}


@pytest.mark.parametrize("name", RADIOGRAPHS)
def test_predicted_cost_of_a_radiograph_is_far_below_the_limits(name: str) -> None:
    data = RADIOGRAPHS[name]()

    seconds = predicted_seconds(data)

    assert seconds < 0.5 * costs.MAX_SECONDS
    assert seconds < 0.75 * costs.MAX_SECONDS_PER_MEGABYTE * len(data) / 2**20


def test_rejection_states_the_cost_limit() -> None:
    with pytest.raises(ImageTooCostly, match=r"would take .* s; the limit .* is 0\.0"):
        decode(costly.png(4000, 4000))
