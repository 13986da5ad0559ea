"""DICOM files are decoded to greyscale images."""

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
    """Writes a greyscale DICOM file, or a colour one for three channels, with further elements."""
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


def test_8_bit_pixels_are_read_unchanged(tmp_path: Path) -> None:
    pixels = np.arange(100, 200).reshape(10, 10)

    picture = decode(write(tmp_path / "a.dcm", pixels, bits=8))

    assert picture.mode == "L"
    np.testing.assert_array_equal(np.asarray(picture), pixels)


def test_12_bit_pixels_are_scaled_to_8_bits_in_order(tmp_path: Path) -> None:
    grey = np.asarray(decode(write(tmp_path / "a.dcm", RAMP))).ravel().astype(int)

    assert (grey[0], grey[-1]) == (0, 255)
    assert (np.diff(grey) >= 0).all()


def test_monochrome1_is_inverted(tmp_path: Path) -> None:
    positive = decode(write(tmp_path / "a.dcm", RAMP))
    negative = decode(write(tmp_path / "b.dcm", RAMP, PhotometricInterpretation="MONOCHROME1"))

    np.testing.assert_array_equal(np.asarray(negative), 255 - np.asarray(positive))


def test_window_applies_to_rescaled_values(tmp_path: Path) -> None:
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


def test_colour_image_is_converted_to_grey(tmp_path: Path) -> None:
    picture = decode(write(tmp_path / "a.dcm", np.full((4, 4, 3), 90), bits=8))

    assert picture.mode == "L"
    assert (np.asarray(picture) == 90).all()


def test_error_of_a_file_without_pixels_names_it(tmp_path: Path) -> None:
    with pytest.raises(UnreadableDicom, match=r"^a\.dcm cannot be decoded: .*[Pp]ixel"):
        decode(write(tmp_path / "a.dcm", None))


def test_multi_frame_dicom_is_rejected(tmp_path: Path) -> None:
    frames = write(tmp_path / "a.dcm", np.stack([RAMP, RAMP]))

    with pytest.raises(UnreadableDicom, match=r"MONOCHROME2 of shape \(2, 32, 32\)"):
        decode(frames)


def test_error_of_a_file_that_is_not_dicom_names_it(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_text("no film")

    with pytest.raises(UnreadableDicom, match=r"^a\.dcm cannot be decoded"):
        decode(tmp_path / "a.dcm")


def test_cache_reads_files_with_a_dicom_suffix(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.DCM", RAMP)).shape == (1, 224, 224)


def test_real_chest_images_have_contrast_and_a_bright_spine(data: Path) -> None:
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
