"""Parses a DICOM file to the few elements that its picture needs (PS3.10, section 7)."""

import io
import zlib

import pydicom
from pydicom.dataset import FileDataset
from pydicom.filereader import read_dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from chestxray.dicom import signature
from chestxray.errors import ImageTooLarge, TruncatedImage, UnreadableImage

_META_GROUP = 2
_DEFLATED, _EXPLICIT = (
    uid.encode() for uid in (DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian)
)
_ELEMENTS = (
    "SOPClassUID",
    "Manufacturer",
    "Modality",
    "BodyPartExamined",
    "ViewPosition",
    "PresentationIntentType",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "ModalityLUTSequence",
    "RescaleIntercept",
    "RescaleSlope",
    "VOILUTSequence",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
    "PresentationLUTShape",
    "RedPaletteColorLookupTableDescriptor",
    "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor",
    "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData",
    "SegmentedRedPaletteColorLookupTableData",
    "SegmentedGreenPaletteColorLookupTableData",
    "SegmentedBluePaletteColorLookupTableData",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "FloatPixelData",
    "DoubleFloatPixelData",
    "PixelData",
)
"""What is read of a file; nothing that names a patient."""


def parse(data: bytes, *, max_bytes: int) -> FileDataset:
    """Parses a file; the whole inflated data set of a deflated one has at most `max_bytes`.

    Raises ImageTooLarge, TruncatedImage or UnreadableImage.
    """
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    data = inflated(data, max_bytes)
    try:
        return pydicom.dcmread(io.BytesIO(data), force=True, specific_tags=list(_ELEMENTS))
    except EOFError as error:
        raise TruncatedImage("the DICOM file ends within an element; send it whole") from error
    except RecursionError as error:
        raise UnreadableImage(
            "the DICOM file has sequences within sequences without end"
        ) from error


def inflated(data: bytes, max_bytes: int) -> bytes:
    """Returns the file with its data set inflated, and marked so; any other file unchanged.

    Raises ImageTooLarge, TruncatedImage or UnreadableImage.
    """
    if not signature.has_preamble(data):
        return data
    stream = io.BytesIO(data)
    stream.seek(signature.START)
    meta = read_dataset(stream, False, True, stop_when=lambda tag, *_: tag.group != _META_GROUP)
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return data
    start, inflater = stream.tell(), zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = inflater.decompress(memoryview(data)[start:], max_bytes + 1)
    except zlib.error as error:
        raise UnreadableImage(
            "the deflated DICOM file cannot be inflated; it is damaged"
        ) from error
    if len(inflated) > max_bytes:
        raise ImageTooLarge(
            f"inflated, the DICOM file has more bytes than the limit of {max_bytes}",
            limit=max_bytes,
        )
    if not inflater.eof:
        raise TruncatedImage("the deflated DICOM file ends early; send it whole")
    return data[:start].replace(_DEFLATED, _EXPLICIT.ljust(len(_DEFLATED), b"\0")) + inflated
