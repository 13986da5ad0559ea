"""The transfer syntaxes that are read (PS3.6, annex A)."""

import pydicom.uid as uids

NATIVE = (uids.ExplicitVRLittleEndian, uids.ImplicitVRLittleEndian, uids.ExplicitVRBigEndian)
"""Those that compress nothing."""
JPEG = (
    uids.JPEGBaseline8Bit,
    uids.JPEGExtended12Bit,
    uids.JPEGLossless,
    uids.JPEGLosslessSV1,
)
JPEG_LS = (uids.JPEGLSLossless, uids.JPEGLSNearLossless)
JPEG_2000 = (
    uids.JPEG2000Lossless,
    uids.JPEG2000,
    uids.HTJ2KLossless,
    uids.HTJ2KLosslessRPCL,
    uids.HTJ2K,
)
READ = (
    *NATIVE,
    uids.DeflatedExplicitVRLittleEndian,
    uids.RLELossless,
    *JPEG,
    *JPEG_LS,
    *JPEG_2000,
)
