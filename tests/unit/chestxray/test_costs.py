"""Decoding: what a file asks for is known before any of it is done, and bounded by its bytes."""

import contextlib
import time
import zlib
from collections.abc import Callable

import numpy as np
import pytest

from chestxray import containers, costs
from chestxray.errors import AnalysisError, ImageTooCostly, ImageTooLarge, UnreadableImage
from chestxray.images import Limits, decode
from chestxray.preprocessing import prepare
from tests import costly
from tests.crafted import STRIP, chunk, tiff
from tests.phantoms import encode, phantom

SIDE = 1024
FILM = phantom(2500, 3000)
LARGE = Limits(max_bytes=2**30, max_pixels=2**30)


def predicted(data: bytes) -> float:
    return containers.check(data, containers.sniff(data) or "").seconds


def measured(data: bytes) -> float:
    """Seconds of processor time, whatever comes of it."""
    started = time.process_time()
    with contextlib.suppress(AnalysisError):
        prepare(decode(data))
    return time.process_time() - started


@pytest.mark.parametrize("kind", costly.KINDS)
def test_costly_file_is_done_in_the_time_that_its_bytes_allow(kind: str) -> None:
    data = costly.made(kind, SIDE)

    seconds = min(measured(data) for _ in range(2))

    assert seconds < 1
    assert seconds < 0.025 + 5 * len(data) / 2**20


@pytest.mark.parametrize("kind", [name for name in costly.KINDS if "texts" not in name])
def test_prediction_is_not_below_what_decoding_costs(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = costly.made(kind, SIDE)
    try:
        bound = predicted(data) + costs.FREE_SECONDS
    except UnreadableImage:
        return
    monkeypatch.setattr(costs, "check", lambda *_: None)

    assert min(measured(data) for _ in range(5)) < bound


@pytest.mark.parametrize("compression", costly.TILES)
@pytest.mark.parametrize("count", [4096, 60_000])
def test_tiff_of_many_tiles_at_one_place_is_refused_at_once(compression: int, count: int) -> None:
    """24 KB of it kept both decoders for 75 s."""
    data = costly.tiff_of_tiles(count, compression=compression, tile=costly.TILES[compression])
    started = time.process_time()

    with pytest.raises((ImageTooCostly, ImageTooLarge)):
        decode(data, limits=LARGE)

    assert time.process_time() - started < 0.2


@pytest.mark.parametrize("length", [64, 512, 4096])
def test_tiles_far_beyond_the_picture_are_counted_whole(length: int) -> None:
    tile = zlib.compress(bytes(512 * length), 9)
    data = costly.tiff_of_tiles(60, compression=8, tile=tile, length=length)

    assert predicted(data) > 60 * 512 * length * costs.TIFF_DECODED_BYTE


def test_planes_are_counted_each() -> None:
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

    assert predicted(four) - predicted(one) > 3 * 4096 * costs.TIFF_DECODED_BYTE


def test_strips_that_say_nothing_cost_as_much_as_they_are_long() -> None:
    """PackBits' bytes of 80 are no pixels, however many come."""
    data = costly.tiff_of_strips(8000, compression=32773, strip=b"\x80" * 50_000, width=8)

    with pytest.raises(ImageTooCostly):
        decode(data)


def test_jpeg_tiles_that_overlap_are_refused() -> None:
    with pytest.raises(UnreadableImage, match="overlap"):
        decode(costly.made("tiff of jpeg tiles", SIDE))


@pytest.mark.parametrize("scans", [30, 40])
def test_scans_of_a_jpeg_in_a_tiff_are_counted(scans: int) -> None:
    plain, data = (
        costly.tiff_of_tiles(1, compression=7, tile=costly.jpeg_tile(count)) for count in (8, scans)
    )

    assert predicted(data) - predicted(plain) > (scans - 8) * 64 * 64 * costs.JPEG_PASS


def test_too_many_scans_of_a_jpeg_in_a_tiff_are_refused() -> None:
    with pytest.raises(UnreadableImage, match="scans"):
        decode(costly.tiff_of_tiles(1, compression=7, tile=costly.jpeg_tile(60)))


def test_jpeg_in_a_tiff_that_is_larger_than_its_tile_counts_as_large_as_it_is() -> None:
    small = costly.tiff_of_tiles(1, compression=7, tile=encode(FILM[:512, :512], "JPEG"))
    large = costly.tiff_of_tiles(1, compression=7, tile=encode(FILM, "JPEG"))

    assert predicted(large) > 10 * predicted(small)


def test_picture_as_tables_of_a_jpeg_in_a_tiff_is_refused() -> None:
    tables = encode(FILM, "JPEG")
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
def test_page_of_strips_and_of_tiles_is_refused(fields: tuple[tuple[int, int, int, int]]) -> None:
    with pytest.raises(UnreadableImage, match="strips and tiles"):
        predicted(tiff(*STRIP, *fields, data=bytes(400)))


def test_blank_tiff_page_behind_a_small_one_counts() -> None:
    """Whichever page a reader takes."""
    small, blank = tiff(*STRIP), tiff(*STRIP, (256, 4, 1, 30_000), (257, 4, 1, 30_000))
    chained = small[:72] + small[72 : 72 + 2 + 12 * 8] + (400).to_bytes(4, "little")
    data = chained.ljust(400, b"\0") + blank[72:400]

    assert predicted(data) > 1


def test_fields_that_share_their_values_are_refused() -> None:
    with pytest.raises(UnreadableImage, match="fields for one picture"):
        decode(costly.made("tiff of fields", 3000))


def test_texts_of_a_png_are_never_inflated() -> None:
    film = encode(FILM, "PNG")
    text = zlib.compress(bytes(2**20), 9)
    bombs = b"".join(chunk(b"zTXt", b"k%d\0\0" % number + text) for number in range(60))

    alone = measured(film)
    among = measured(film[:33] + bombs + film[33:])

    assert among < 2 * alone + 0.02  # 60 MB would take 0.1 s to inflate


@pytest.mark.parametrize("size", [(2**15 + 1, 1), (1, 2**15 + 1)])
@pytest.mark.parametrize("format_", ["PNG", "TIFF", "BMP", "JPEG"])
def test_thread_of_pixels_is_no_picture(format_: str, size: tuple[int, int]) -> None:
    """A decoder holds rows besides the picture: 19 bytes for each pixel of one row."""
    with pytest.raises(ImageTooLarge, match="the limit is 32768 along a side"):
        decode(encode(np.ones(size, np.uint8), format_))


FILMS: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: encode(FILM, "JPEG", quality=60),
    "jpeg progressive": lambda: encode(FILM, "JPEG", quality=60, progressive=True),
    "jpeg in colours": lambda: encode(FILM, "JPEG", mode="RGB", quality=75),
    "png": lambda: encode(FILM, "PNG"),
    "png of 16 bits": lambda: encode(FILM.astype(np.uint16) * 16, "PNG"),
    "png in colours": lambda: encode(FILM, "PNG", mode="RGBA"),
    "tiff": lambda: encode(FILM, "TIFF"),
    "tiff lzw": lambda: encode(FILM.astype(np.uint16), "TIFF", compression="tiff_lzw"),
    "tiff of rows": lambda: encode(FILM.astype(np.uint16), "TIFF", strip_size=2500 * 2),
    "tiff of floats": lambda: encode(
        FILM.astype(np.float32), "TIFF", compression="tiff_adobe_deflate"
    ),
    "tiff jpeg": lambda: encode(FILM, "TIFF", compression="jpeg"),
    "webp": lambda: encode(FILM[:2000, :2000], "WEBP", quality=80),
    "webp lossless": lambda: encode(FILM[:2000, :2000], "WEBP", lossless=True, method=0),
    "bmp": lambda: encode(FILM, "BMP"),
}


@pytest.mark.parametrize("name", FILMS)
def test_film_is_far_from_the_bounds(name: str) -> None:
    data = FILMS[name]()

    seconds = predicted(data)

    assert seconds < 0.5 * costs.MAX_SECONDS
    assert seconds < 0.75 * costs.MAX_SECONDS_PER_MEGABYTE * len(data) / 2**20


def test_message_says_how_much_is_allowed() -> None:
    with pytest.raises(ImageTooCostly, match=r"would take .* s; the limit .* is 0\.0"):
        decode(costly.png(4000, 4000))
