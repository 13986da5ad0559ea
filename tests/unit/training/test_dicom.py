"""DICOM files to greyscale pictures."""

import csv
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

from training.cache import read
from training.datasets.dicom import UnreadableDicom, decode

RAMP = np.arange(0, 4096, 4).reshape(32, 32)


def write(path: Path, pixels: np.ndarray | None, *, bits: int = 12, **elements: object) -> Path:
    """Writes a film, or with a third axis of three a colour picture; more elements by keyword."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = ComputedRadiographyImageStorage
    dataset.SOPInstanceUID = generate_uid()
    if pixels is not None:
        stored = pixels.astype(np.uint8 if bits <= 8 else np.uint16)
        dataset.set_pixel_data(stored, "RGB" if pixels.shape[-1] == 3 else "MONOCHROME2", bits)
    dataset.update(elements)
    dataset.save_as(path, enforce_file_format=True)
    return path


def test_eight_bits_are_taken_as_stored(tmp_path: Path) -> None:
    pixels = np.arange(100, 200).reshape(10, 10)

    picture = decode(write(tmp_path / "a.dcm", pixels, bits=8))

    assert picture.mode == "L"
    np.testing.assert_array_equal(np.asarray(picture), pixels)


def test_twelve_bits_fill_the_range_in_their_order(tmp_path: Path) -> None:
    grey = np.asarray(decode(write(tmp_path / "a.dcm", RAMP))).ravel().astype(int)

    assert (grey[0], grey[-1]) == (0, 255)
    assert (np.diff(grey) >= 0).all()


def test_monochrome1_is_the_negative_of_monochrome2(tmp_path: Path) -> None:
    positive = decode(write(tmp_path / "a.dcm", RAMP))
    negative = decode(write(tmp_path / "b.dcm", RAMP, PhotometricInterpretation="MONOCHROME1"))

    np.testing.assert_array_equal(np.asarray(negative), 255 - np.asarray(positive))


def test_window_is_meant_for_rescaled_values(tmp_path: Path) -> None:
    window = {"WindowCenter": 1000, "WindowWidth": 200}
    rescale = {"RescaleSlope": 2, "RescaleIntercept": -1000}
    picture = decode(write(tmp_path / "a.dcm", RAMP, **window, **rescale))

    grey = np.asarray(picture)
    rescaled = 2 * RAMP - 1000
    assert (grey[rescaled < 890] == 0).all()
    assert (grey[rescaled > 1110] == 255).all()
    assert 120 < grey[rescaled == 1000].item() < 135


def test_lookup_table_is_applied_after_the_rescale(tmp_path: Path) -> None:
    table = Dataset()
    table.add_new("LUTDescriptor", "US", [4096, 0, 16])
    table.add_new("LUTData", "US", list(range(4095, -1, -1)))
    elements = {"VOILUTSequence": [table], "RescaleSlope": 1, "RescaleIntercept": 0}

    grey = np.asarray(decode(write(tmp_path / "a.dcm", RAMP, **elements))).ravel()

    assert (grey[0], grey[-1]) == (255, 0)


def test_colour_becomes_grey(tmp_path: Path) -> None:
    picture = decode(write(tmp_path / "a.dcm", np.full((4, 4, 3), 90), bits=8))

    assert picture.mode == "L"
    assert (np.asarray(picture) == 90).all()


def test_file_without_pixels_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableDicom, match=r"^a\.dcm cannot be decoded: .*[Pp]ixel"):
        decode(write(tmp_path / "a.dcm", None))


def test_several_frames_are_refused(tmp_path: Path) -> None:
    frames = write(tmp_path / "a.dcm", np.stack([RAMP, RAMP]))

    with pytest.raises(UnreadableDicom, match=r"MONOCHROME2 of shape \(2, 32, 32\)"):
        decode(frames)


def test_what_is_no_dicom_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_text("no film")

    with pytest.raises(UnreadableDicom, match=r"^a\.dcm cannot be decoded"):
        decode(tmp_path / "a.dcm")


def test_cache_reads_dicom_by_its_suffix(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.DCM", RAMP)).shape == (1, 224, 224)


def test_real_chest_films_decode_with_contrast_and_bright_spine(data: Path) -> None:
    with (data / "manifest_dicom.csv").open(newline="") as file:
        chests = [row for row in csv.DictReader(file) if row["expected"] == "cxr"]

    assert chests
    for row in chests:
        picture = decode(data / row["path"])
        grey = np.asarray(picture)
        height, width = grey.shape
        middle = slice(height // 3, 2 * height // 3)
        assert (picture.mode, grey.shape) == ("L", (int(row["rows"]), int(row["cols"])))
        assert grey.std() > 30
        lungs = (width // 5, width // 3), (2 * width // 3, 4 * width // 5)
        spine = grey[middle, 9 * width // 20 : 11 * width // 20].mean()
        assert all(grey[middle, left:right].mean() < spine for left, right in lungs), row["path"]
