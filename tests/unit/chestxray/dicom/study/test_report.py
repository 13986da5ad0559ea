"""The report has the content of TID 1500 (PS3.16), in the caller's language."""

from typing import Any

import pytest
from pydicom.dataset import Dataset

from chestxray.dicom.study import report
from tests import results_in_study
from tests.results_in_study import CLASSIFIER, FILTER, film

CONTAINS, CONTEXT, MODIFIER = "CONTAINS", "HAS OBS CONTEXT", "HAS CONCEPT MOD"
RULES = {
    # TID 1500, rows 2 (TID 1204), 3 (TID 1001), 4 and 6.
    "126000": [
        (MODIFIER, "CODE", "121049"),
        (CONTEXT, "CODE", "121005"),
        (CONTEXT, "UIDREF", "121012"),
        (MODIFIER, "CODE", "121058"),
        (CONTAINS, "CONTAINER", "126010"),
    ],
    # TID 1501, rows 1, 2, 3 and 5 (TID 4019).
    "125007": [
        (CONTEXT, "TEXT", "112039"),
        (CONTEXT, "UIDREF", "112040"),
        (MODIFIER, "TEXT", "111001"),
        (MODIFIER, "TEXT", "111003"),
    ],
}
"""Mandatory items by the code of their container: relationship, type and code."""


def write(language: str = "en") -> Dataset:
    return report.write(results_in_study.result(film(), language=language))


def items(container: Dataset) -> list[Dataset]:
    return list(container.get("ContentSequence") or [])


def everything(container: Dataset) -> list[Dataset]:
    return [container, *(each for item in items(container) for each in everything(item))]


def code(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeValue)


def groups(root: Dataset) -> list[Dataset]:
    return [each for each in everything(root) if code(each) == "125007"]


def values(group: Dataset) -> dict[str, Any]:
    found = {}
    for item in items(group):
        if item.ValueType == "NUM":
            (measured,) = item.MeasuredValueSequence
            (unit,) = measured.MeasurementUnitsCodeSequence
            assert (unit.CodeValue, unit.CodingSchemeDesignator) == ("1", "UCUM")
            found[code(item)] = float(measured.NumericValue)
        elif item.ValueType == "CODE":
            found[code(item)] = item.ConceptCodeSequence[0].CodeValue
        elif item.ValueType == "TEXT":
            found[code(item)] = item.TextValue
    return found


def test_every_mandatory_item_is_there() -> None:
    root = write()

    assert root.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    for container, mandatory in RULES.items():
        found = [each for each in everything(root) if code(each) == container]
        assert found
        for each in found:
            present = {(i.RelationshipType, i.ValueType, code(i)) for i in items(each)}
            assert set(mandatory) <= present, container


def test_models_are_identified_with_their_weights() -> None:
    for group, model in zip(groups(write()), (FILTER, CLASSIFIER), strict=True):
        found = values(group)
        said = (found["111001"], found["111003"], found["111002"])
        assert said == (model.name, model.version, model.digest)


def test_probabilities_and_the_verdict_are_those_of_the_analysis() -> None:
    judged, classified = map(values, groups(write()))

    assert (judged["SCORE"], judged["VERDICT"]) == (0.9987, "FRONTAL_CHEST")
    probabilities = {name: value for name, value in classified.items() if name.startswith("P_")}
    assert probabilities == {
        "P_NO_FINDING": 0.1,
        "P_LUNG_OPACITY": 0.25,
        "P_COVID19": 0.65,
        "P_ABNORMAL": 0.9,
    }
    assert classified["USE"] == "113009"  # For Research


def test_report_is_complete_preliminary_and_unverified() -> None:
    made = write()

    assert (made.CompletionFlag, made.PreliminaryFlag, made.VerificationFlag) == (
        "COMPLETE",
        "PRELIMINARY",
        "UNVERIFIED",
    )


def test_evidence_is_the_radiograph() -> None:
    made, radiograph = write(), results_in_study.result(film()).source
    (study,) = made.CurrentRequestedProcedureEvidenceSequence
    (series,) = study.ReferencedSeriesSequence
    (image,) = series.ReferencedSOPSequence

    assert study.StudyInstanceUID == radiograph.StudyInstanceUID
    assert series.SeriesInstanceUID == radiograph.SeriesInstanceUID
    assert image.ReferencedSOPClassUID == radiograph.SOPClassUID


@pytest.mark.parametrize(
    ("language", "name"),
    [("en", "opacity, not"), ("pt-BR", "opacidade, não"), ("es", "opacidad, no")],
)
def test_words_are_of_the_language_that_the_report_names(language: str, name: str) -> None:
    root = write(language)
    (said,) = (each for each in items(root) if code(each) == "121049")
    meanings = [each.ConceptNameCodeSequence[0].CodeMeaning for each in everything(root)]

    assert said.ConceptCodeSequence[0].CodeValue == language
    assert said.ConceptCodeSequence[0].CodingSchemeDesignator == "RFC5646"
    assert any(name in meaning for meaning in meanings)
