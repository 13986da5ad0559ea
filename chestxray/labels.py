"""The classes of both models, in the order in which every tensor holds them."""

from enum import StrEnum


class Finding(StrEnum):
    """What the classifier says of an upright frontal chest X-ray."""

    NO_FINDING = "no_finding"
    LUNG_OPACITY = "lung_opacity"
    COVID19 = "covid19"


class Verdict(StrEnum):
    """What the filter says of any picture; a rotation names what was done to an upright image.

    An inverted one is a negative: bone is dark, as in a MONOCHROME1 film that was exported as it is.
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
"""Clockwise quarter turns that make an upright chest X-ray an example of the verdict."""
