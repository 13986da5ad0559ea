"""The page of a TIFF that holds the radiograph, and TIFF variants that are rejected by name."""

import io
from typing import Any

import numpy as np
import pytest
import tifffile

from chestxray import errors
from chestxray.images import read
from tests.tiffs import tiff
from tests.unit.chestxray.test_tiff import CHEST, assert_read_as, tiff_with_tifffile, values_of


def pages(*written_pages: tuple[np.ndarray, dict[str, Any]]) -> bytes:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for values, options in written_pages:
            writer.write(values, metadata=None, **options)
    return file.getvalue()


SMALL = np.ascontiguousarray(CHEST[::4, ::4])
ONE_RADIOGRAPH = {
    "thumbnail behind it": pages((CHEST, {}), (SMALL, {"subfiletype": 1})),
    "thumbnail before it": pages((SMALL, {"subfiletype": 1}), (CHEST, {})),
    "thumbnail without a mark": pages((CHEST, {}), (SMALL, {})),
    "pyramid in it": pages((CHEST, {"subifds": 1}), (SMALL, {"subfiletype": 1})),
}


@pytest.mark.parametrize("name", ONE_RADIOGRAPH)
def test_thumbnail_pages_are_ignored(name: str) -> None:
    assert_read_as(ONE_RADIOGRAPH[name], CHEST)


@pytest.mark.parametrize("options", [{"imagej": True}, {"ome": True}, {}])
def test_tiff_with_microscope_metadata_is_read(options: dict[str, bool]) -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, CHEST, **options)

    assert_read_as(file.getvalue(), CHEST)


@pytest.mark.parametrize("options", [{"imagej": True}, {"ome": True}, {}])
def test_image_stack_is_rejected(options: dict[str, bool]) -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, np.stack([CHEST] * 3), photometric="minisblack", **options)

    with pytest.raises(errors.MultiFrameImage):
        read(file.getvalue())


UNSUPPORTED = {
    "complex numbers": tiff_with_tifffile(CHEST.astype(np.complex64)),
    "float24": tiff(CHEST[..., None].astype("u4"), bits=24, sample_format=3),
    "uint20": tiff(CHEST[..., None].astype("u4"), bits=20),
    "palette of 16 bits": tiff(
        values_of("u2")[..., None], bits=16, photometric=3, more=[(320, "H", (0,) * 3000)]
    ),
    "fax": tiff(CHEST[..., None] // 255, bits=1, more=[(259, "H", (4,))]),
    "LZMA": tiff_with_tifffile(CHEST, compression="lzma"),
    "Zstandard": tiff(CHEST[..., None], bits=8, more=[(259, "H", (50000,))]),
    "JPEG 2000": tiff(CHEST[..., None], bits=8, more=[(259, "H", (34712,))]),
    "JPEG of 12 bits": tiff(values_of("u2")[..., None], bits=12, more=[(259, "H", (7,))]),
    "channels differ": tiff(np.dstack([CHEST] * 3), bits=8, more=[(258, "H", (8, 8, 4))]),
    "RGB with 4000 channels": tiff(
        np.dstack([CHEST] * 3), bits=8, photometric=2, more=[(277, "H", (4000,))]
    ),
    "5 grey channels": tiff(np.dstack([CHEST] * 5), bits=8),
    "CMYK in uint16 in planes": tiff_with_tifffile(
        np.stack([values_of("u2")] * 4), photometric="separated", planarconfig="separate"
    ),
    "YCbCr that is subsampled": tiff(np.dstack([CHEST] * 3), bits=8, photometric=6),
    "colour space 32844": tiff(CHEST[..., None], bits=8, photometric=32844),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_rejection_of_an_unsupported_tiff_names_the_variant(name: str) -> None:
    with pytest.raises(errors.UnsupportedVariant, match="is not supported; save") as caught:
        read(UNSUPPORTED[name])
    assert name in caught.value.found
    assert "damaged" not in str(caught.value)


@pytest.mark.parametrize("sign", ["DNG", "filter array", "linear", "previews only"])
def test_camera_raw_file_is_rejected_instead_of_reading_its_thumbnail(sign: str) -> None:
    more = {
        "DNG": [(50706, "B", (1, 4, 0, 0))],
        "filter array": [(262, "H", (32803,))],
        "linear": [(262, "H", (34892,))],
        "previews only": [(254, "I", (1,)), (330, "I", (8, 8))],
    }[sign]

    with pytest.raises(errors.UnsupportedFormat) as caught:
        read(tiff(CHEST[..., None], bits=8, more=more))
    assert caught.value.found == "camera raw"
