"""The Bundle is valid FHIR, says what the analysis says, and names no patient."""

import json
import re

import pytest

from chestxray import chart
from chestxray.fhir.elements import R4, R5, RELEASES
from chestxray.texts import LANGUAGES
from tests.fhir import CLASSES, check, references, resources, write
from tests.results_in_study import CLASSIFIER, FILTER, IN_A_STUDY, analysis, film

IN_REPORT = {
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "CareTeam",
}
"""What a report's performer may refer to, in R4 and R5."""


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("release", RELEASES)
def test_bundle_is_valid_in_its_release(language: str, release: str) -> None:
    made = write(language, release)

    check(made, release)

    parsed = CLASSES[release]("Bundle").model_validate(made)
    assert json.loads(parsed.model_dump_json()).keys() == made.keys()


@pytest.mark.parametrize(("written", "read"), [(R4, R5), (R5, R4)])
def test_device_of_one_release_is_not_valid_in_the_other(written: str, read: str) -> None:
    for device in resources(write(release=written), "Device"):
        with pytest.raises(ValueError, match=r"extra_forbidden|[Nn]ame"):
            CLASSES[read]("Device").model_validate(device)


def test_report_is_preliminary_and_has_every_observation_as_a_result() -> None:
    made = write()
    (report,) = resources(made, "DiagnosticReport")

    assert report["status"] == "preliminary"
    assert len(report["result"]) == len(resources(made, "Observation")) == 5
    assert all(each["status"] == "preliminary" for each in resources(made, "Observation"))
    assert "subject" not in report


def test_every_reference_is_to_an_entry_of_its_own() -> None:
    made = write()
    urls = [entry["fullUrl"] for entry in made["entry"]]

    assert len(set(urls)) == len(urls)
    assert all(re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", url) for url in urls)
    assert set(references(made)) <= set(urls)


def test_performer_names_the_program_without_a_reference_that_the_standard_forbids() -> None:
    made = write()
    (report,) = resources(made, "DiagnosticReport")
    (performer,) = report["performer"]
    (provenance,) = resources(made, "Provenance")
    by_url = {entry["fullUrl"]: entry["resource"] for entry in made["entry"]}

    device = by_url[provenance["agent"][0]["who"]["reference"]]
    assert device["resourceType"] == "Device"
    assert performer["identifier"] in device["identifier"]
    assert "reference" not in performer and performer.get("type", "Organization") in IN_REPORT


def test_observations_have_the_numbers_of_the_analysis_and_the_model_that_gave_them() -> None:
    made, expected = write(), analysis(film())
    by_url = {entry["fullUrl"]: entry["resource"] for entry in made["entry"]}
    found, judged = {}, None
    for each in resources(made, "Observation"):
        code = each["code"]["coding"][0]["code"]
        name = by_url[each["device"]["reference"]]["deviceName"][0]["name"]
        if code == "VERDICT":
            judged = each
            assert name == FILTER.name
        else:
            found[code] = each["valueQuantity"]
            assert name == CLASSIFIER.name

    units = {"system": "http://unitsofmeasure.org", "code": "1"}
    values = {**expected.prediction.probabilities, "abnormal": expected.prediction.abnormal}
    assert found == {f"P_{name.upper()}": {"value": p} | units for name, p in values.items()}
    assert judged is not None
    assert judged["valueCodeableConcept"]["coding"][0]["code"] == "FRONTAL_CHEST"
    assert judged["component"][0]["valueQuantity"]["value"] == expected.filter.score


def test_devices_have_the_version_and_the_digest_of_the_weights() -> None:
    found = {
        each["deviceName"][0]["name"]: {v["type"]["text"]: v["value"] for v in each["version"]}
        for each in resources(write(), "Device")
    }

    for model in (FILTER, CLASSIFIER):
        assert found[model.name] == {"version": model.version, "weights": model.digest}


def test_everything_is_labelled_for_research_and_the_conclusion_is_the_text_for_the_chart() -> None:
    for language in LANGUAGES:
        made = write(language)
        (report,) = resources(made, "DiagnosticReport")

        assert report["conclusion"] == chart.text(analysis(film()), language)
        for each in (made, report, *resources(made, "Observation")):
            assert [label["code"] for label in each["meta"]["security"]] == ["HRESCH"]


def test_nothing_of_the_patient_is_in_the_bundle() -> None:
    written = json.dumps(write(), ensure_ascii=False)

    for name in ("PatientName", "PatientID", "AccessionNumber", "StudyInstanceUID"):
        assert f'"{IN_A_STUDY[name]}"' not in written


def test_same_analysis_gives_the_same_bundle() -> None:
    assert write() == write()
