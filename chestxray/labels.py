"""Classes of both models, in tensor order."""

from enum import StrEnum


class Finding(StrEnum):
    """Classes of the classifier."""

    NO_FINDING = "no_finding"
    LUNG_OPACITY = "lung_opacity"
    COVID19 = "covid19"


class Verdict(StrEnum):
    """Classes of the filter. ROTATED_N: an upright image rotated clockwise by N degrees.

    INVERTED: a negative with dark bone, such as a MONOCHROME1 image exported as stored.
    """

    FRONTAL_CHEST = "frontal_chest"
    ROTATED_90 = "rotated_90"
    ROTATED_180 = "rotated_180"
    ROTATED_270 = "rotated_270"
    LATERAL_CHEST = "lateral_chest"
    OTHER_XRAY = "other_xray"
    NOT_XRAY = "not_xray"
    INVERTED = "inverted"


FINDINGS = tuple(Finding)
VERDICTS = tuple(Verdict)

QUARTER_TURNS = {Verdict.ROTATED_90: 1, Verdict.ROTATED_180: 2, Verdict.ROTATED_270: 3}
"""Clockwise quarter turns that turn an upright chest X-ray into an example of the verdict."""
