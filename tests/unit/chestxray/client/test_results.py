"""The client's results are those of the service."""

from dataclasses import MISSING, Field, fields

import pytest

from bentos.gateway.examples import ANSWERS
from chestxray import client, results
from chestxray.client.structure import structured

NAMES = (
    "Analysis",
    "FilterResult",
    "Heatmap",
    "Input",
    "JobItem",
    "JobStatus",
    "KeptAnalysis",
    "Prediction",
    "Problem",
    "Timing",
)


@pytest.mark.parametrize("name", NAMES)
def test_members_are_those_of_the_service(name: str) -> None:
    served, received = getattr(results, name), getattr(client, name)

    assert {field.name for field in fields(received)} == set(served.model_fields)


@pytest.mark.parametrize("name", NAMES)
def test_what_the_service_may_leave_out_may_be_absent(name: str) -> None:
    served = getattr(results, name).model_fields
    required = {each.name for each in fields(getattr(client, name)) if _has_no_default(each)}

    assert (
        not required
        - {"method", "disclaimer"}
        - {name for name, field in served.items() if field.is_required()}
    )


def _has_no_default(field: Field[object]) -> bool:
    return field.default is MISSING


def test_complete_answer_is_read_as_the_service_wrote_it() -> None:
    drawn = {"method": "cam", "label": "covid19", "grid": [[0, 1.5]], "range": [0, 1.5]}
    written = results.Analysis.model_validate(
        ANSWERS["analyse_image"] | {"heatmap": drawn, "heatmaps": {"covid19": drawn}}
    )

    read = structured(client.Analysis, written.model_dump(mode="json"))

    assert read.heatmap == client.Heatmap("cam", "covid19", [[0.0, 1.5]], (0.0, 1.5))
    assert read.heatmaps == {"covid19": read.heatmap}
    assert read.created_at == written.created_at


@pytest.mark.parametrize(
    "changes",
    [
        {"decode": "1"},
        {"decode": True},
        {"decode": None},
        {"decode": [1]},
    ],
)
def test_member_of_another_type_is_refused(changes: dict[str, object]) -> None:
    timing = {"decode": 1, "filter": 2.5, "classify": 3, "total": 6.5}
    assert structured(client.Timing, timing).decode == 1

    with pytest.raises(ValueError, match="another type"):
        structured(client.Timing, timing | changes)


def test_missing_member_is_refused() -> None:
    with pytest.raises(ValueError, match="Timing lacks a member"):
        structured(client.Timing, {"decode": 1})
