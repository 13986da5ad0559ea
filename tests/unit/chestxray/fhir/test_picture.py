"""The heatmap's picture is Media in R4 and a document in R5, in the report and in Provenance."""

import base64
import json
from typing import Any

import pytest

from chestxray import texts
from chestxray.fhir.elements import R4, R5, RELEASES
from chestxray.texts import LANGUAGES
from tests import fhir
from tests.fhir import check, kinds, referred, resources
from tests.results_in_study import CLASSIFIER

PNG = b"\x89PNG\r\n\x1a\n picture"
KINDS = {R4: "Media", R5: "DocumentReference"}


def write(release: str, *, language: str = "en", png: bytes | None = PNG) -> dict[str, Any]:
    return fhir.write(language, release, png=png)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("release", RELEASES)
def test_report_has_the_picture_with_its_title_in_the_callers_language(
    release: str, language: str
) -> None:
    made = write(release, language=language)

    check(made, release)
    (link,) = resources(made, "DiagnosticReport")[0]["media"]
    found = referred(made, link["link"])
    assert found["resourceType"] == KINDS[release]
    content = found["content"] if release == R4 else found["content"][0]["attachment"]
    assert base64.b64decode(content["data"]) == PNG
    assert (content["contentType"], content["language"]) == ("image/png", language)
    assert link["comment"] == content["title"] == f"{texts.text('where', language)}: COVID-19"


@pytest.mark.parametrize("release", RELEASES)
def test_picture_is_for_research_and_made_by_the_classifier(release: str) -> None:
    made = write(release)
    (found,) = resources(made, KINDS[release])
    (provenance,) = resources(made, "Provenance")

    author = found["device"] if release == R4 else found["author"][0]
    assert CLASSIFIER.name in json.dumps(referred(made, author))
    assert [label["code"] for label in found["meta"]["security"]] == ["HRESCH"]
    assert texts.text("title", "en") in json.dumps(found)
    assert found in [referred(made, target) for target in provenance["target"]]


@pytest.mark.parametrize("release", RELEASES)
def test_bundle_without_a_picture_mentions_none(release: str) -> None:
    made = write(release, png=None)

    assert not kinds(made) & set(KINDS.values())
    assert "media" not in resources(made, "DiagnosticReport")[0]
