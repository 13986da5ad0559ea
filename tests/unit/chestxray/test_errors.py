"""What an image is told that the filter refuses."""

import pytest

from chestxray.errors import NotAnXRay
from chestxray.labels import Verdict
from chestxray.results import FilterResult

THRESHOLD = 0.9876


def refused(verdict: Verdict, score: float, **scores: float) -> str:
    found = {each: scores.get(each.value, 0.0) for each in Verdict}
    found[Verdict.FRONTAL_CHEST] = score
    result = FilterResult(
        verdict=verdict, valid=False, score=score, threshold=THRESHOLD, scores=found
    )
    return str(NotAnXRay(result))


def test_image_just_under_the_threshold_is_told_so_and_not_that_it_is_something_else() -> None:
    told = refused(Verdict.OTHER_XRAY, 0.9868, other_xray=0.0132)

    assert "probably an upright frontal chest X-ray, but the filter is not certain enough" in told
    assert "0.9868, below the threshold of 0.9876" in told
    assert "other_xray" not in told


@pytest.mark.parametrize(
    ("verdict", "advice"),
    [
        (Verdict.ROTATED_90, "turn it by 90 degrees counter-clockwise"),
        (Verdict.ROTATED_180, "turn it by 180 degrees"),
        (Verdict.ROTATED_270, "turn it by 90 degrees clockwise"),
        (Verdict.LATERAL_CHEST, "send an upright frontal (AP or PA) chest X-ray"),
        (Verdict.OTHER_XRAY, "crop the image to the radiograph"),
        (Verdict.NOT_XRAY, "one radiograph, cropped and straight"),
    ],
)
def test_each_verdict_says_what_to_do(verdict: Verdict, advice: str) -> None:
    told = refused(verdict, 0.01, **{verdict.value: 0.99})

    assert told.endswith(advice) or advice in told.partition(";")[2]
    assert "0.0100, below the threshold of 0.9876" in told
