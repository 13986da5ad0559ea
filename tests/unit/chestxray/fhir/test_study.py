"""The Bundle of a DICOM image says which study, series and object the result belongs to."""

import json
from typing import Any

import pytest

from chestxray.dicom.identification import identify
from chestxray.dicom.instance import Instance
from chestxray.fhir import bundle
from chestxray.fhir.elements import R4, R5, RELEASES
from tests.fhir import check, kinds, referred, resources
from tests.results_in_study import CLASSIFIER, FILTER, IN_A_STUDY, analysis, film

FILM = film()
STUDY, SERIES = str(IN_A_STUDY["StudyInstanceUID"]), str(IN_A_STUDY["SeriesInstanceUID"])
COMPUTED_RADIOGRAPHY = "urn:oid:1.2.840.10008.5.1.4.1.1.1"


def write(release: str, **changes: Any) -> dict[str, Any]:
    return of(identify(FILM).model_copy(update=changes), release)


def of(instance: Instance | None, release: str) -> dict[str, Any]:
    made = bundle.write(
        analysis(FILM),
        xray_filter=FILTER,
        covid_classifier=CLASSIFIER,
        language="en",
        release=release,
        instance=instance,
    )
    found: dict[str, Any] = json.loads(json.dumps(made))
    return found


@pytest.mark.parametrize("release", RELEASES)
def test_study_has_its_uid_accession_number_series_and_image(release: str) -> None:
    made = write(release)

    check(made, release)
    (study,) = resources(made, "ImagingStudy")
    uid, number = study["identifier"]
    assert uid == {"system": "urn:dicom:uid", "value": f"urn:oid:{STUDY}"}
    assert (number["type"]["coding"][0]["code"], number["value"]) == ("ACSN", "A1")
    (series,) = study["series"]
    (image,) = series["instance"]
    assert series["uid"] == SERIES
    assert image["uid"] == identify(FILM).sop_instance
    assert image["sopClass"]["code"] == COMPUTED_RADIOGRAPHY
    modality = series["modality"] if release == R4 else series["modality"]["coding"][0]
    assert (modality["system"][-3:], modality["code"]) == ("DCM", "CR")


@pytest.mark.parametrize("release", RELEASES)
def test_report_is_of_the_study_and_of_the_order_with_the_accession_number(release: str) -> None:
    made = write(release)
    (report,) = resources(made, "DiagnosticReport")

    (link,) = report["imagingStudy" if release == R4 else "study"]
    assert referred(made, link)["resourceType"] == "ImagingStudy"
    (order,) = report["basedOn"]
    assert (order["type"], order["identifier"]["value"]) == ("ServiceRequest", "A1")
    assert [each["value"] for each in report["identifier"]] == [
        each["fullUrl"] for each in made["entry"] if each["resource"] == report
    ]


@pytest.mark.parametrize(("release", "kind"), [(R4, "ImagingStudy"), (R5, "ImagingSelection")])
def test_observations_are_derived_from_the_film(release: str, kind: str) -> None:
    made = write(release)

    for each in resources(made, "Observation"):
        (source,) = each["derivedFrom"]
        assert referred(made, source)["resourceType"] == kind


def test_selection_names_the_object_itself_and_its_study() -> None:
    made = write(R5)
    (selection,) = resources(made, "ImagingSelection")
    (image,) = selection["instance"]

    assert (selection["studyUid"], selection["seriesUid"]) == (STUDY, SERIES)
    assert (image["uid"], image["sopClass"]["code"]) == (
        identify(FILM).sop_instance,
        COMPUTED_RADIOGRAPHY,
    )
    assert referred(made, selection["derivedFrom"][0])["resourceType"] == "ImagingStudy"
    assert "subject" not in selection


@pytest.mark.parametrize("release", RELEASES)
def test_patient_is_not_named_and_the_study_says_why(release: str) -> None:
    made = write(release)
    (study,) = resources(made, "ImagingStudy")

    (reason,) = study["subject"]["extension"]
    assert study["subject"].keys() == {"extension"}
    assert (reason["url"].split("/")[-1], reason["valueCode"]) == ("data-absent-reason", "masked")
    written = json.dumps(made, ensure_ascii=False)
    for name in ("PatientName", "PatientID", "PatientBirthDate", "ReferringPhysicianName"):
        assert f'"{IN_A_STUDY[name]}"' not in written
    assert "1970" not in written and "Gonçalves" not in written


@pytest.mark.parametrize("release", RELEASES)
def test_date_of_the_study_is_that_of_the_findings(release: str) -> None:
    made, without = write(release), write(release, study_date=None)

    for bundle_, expected in ((made, "2026-11-27"), (without, None)):
        check(bundle_, release)
        for each in (
            *resources(bundle_, "DiagnosticReport"),
            *resources(bundle_, "Observation"),
        ):
            assert each.get("effectiveDateTime") == expected
        assert resources(bundle_, "ImagingStudy")[0].get("started") == expected


@pytest.mark.parametrize("release", RELEASES)
def test_what_the_header_lacks_is_left_out(release: str) -> None:
    made = write(release, accession_number=None, modality=None, study_date=None)

    check(made, release)
    (study,) = resources(made, "ImagingStudy")
    assert len(study["identifier"]) == 1
    modality = study["series"][0]["modality"]
    assert modality["extension"][0]["valueCode"] == "unknown" and modality.keys() == {"extension"}
    assert "basedOn" not in resources(made, "DiagnosticReport")[0]


@pytest.mark.parametrize("release", RELEASES)
def test_study_without_a_series_is_named_alone(release: str) -> None:
    made = write(release, series=None)

    check(made, release)
    (study,) = resources(made, "ImagingStudy")
    assert "series" not in study
    assert "ImagingSelection" not in kinds(made)
    for each in resources(made, "Observation"):
        assert referred(made, each["derivedFrom"][0]) == study


@pytest.mark.parametrize("release", RELEASES)
def test_image_without_a_study_has_neither_study_nor_date(release: str) -> None:
    made = of(None, release)

    check(made, release)
    assert kinds(made) == {"DiagnosticReport", "Observation", "Device", "Provenance"}
    for name in ("imagingStudy", "study", "basedOn", "effectiveDateTime", "derivedFrom"):
        assert f'"{name}"' not in json.dumps(made)
