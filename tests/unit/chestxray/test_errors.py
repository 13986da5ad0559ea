"""Messages of images that the filter rejects."""

import pytest

from chestxray.errors import NotAnXRay
from chestxray.labels import Verdict
from chestxray.results import FilterResult

THRESHOLD = 0.9876


def rejection_message(verdict: Verdict, score: float, **scores: float) -> str:
    found = {each: scores.get(each.value, 0.0) for each in Verdict}
    found[Verdict.FRONTAL_CHEST] = score
    result = FilterResult(
        verdict=verdict, valid=False, score=score, threshold=THRESHOLD, scores=found
    )
    return str(NotAnXRay(result))


def test_message_of_a_score_just_below_the_threshold_names_no_other_verdict() -> None:
    message = rejection_message(Verdict.OTHER_XRAY, 0.9868, other_xray=0.0132)

    assert (
        "probably an upright frontal chest X-ray, but the filter is not certain enough" in message
    )
    assert "0.9868, below the threshold of 0.9876" in message
    assert "other_xray" not in message


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
def test_message_of_each_verdict_ends_with_advice(verdict: Verdict, advice: str) -> None:
    message = rejection_message(verdict, 0.01, **{verdict.value: 0.99})

    assert message.endswith(advice) or advice in message.partition(";")[2]
    assert "0.0100, below the threshold of 0.9876" in message
