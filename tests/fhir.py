"""Reads Bundles: their resources, references, and whether they are valid in their release."""

import json
from typing import Any

from fhir.resources import get_fhir_model_class as r5_class
from fhir.resources.R4B import get_fhir_model_class as r4_class

from chestxray.fhir import bundle
from chestxray.fhir.elements import R4, R5
from tests.results_in_study import CLASSIFIER, FILTER, analysis, film

CLASSES = {R4: r4_class, R5: r5_class}
"""R4B is R4 in every resource that a Bundle of ours has."""

Resource = dict[str, Any]


def write(language: str = "en", release: str = R4, **more: Any) -> Resource:
    """The Bundle of an analysis of a DICOM film, as a client reads it."""
    made = bundle.write(
        analysis(film()),
        xray_filter=FILTER,
        covid_classifier=CLASSIFIER,
        language=language,
        release=release,
        **more,
    )
    found: Resource = json.loads(json.dumps(made))
    return found


def check(made: Resource, release: str) -> None:
    """Raises ValueError or AssertionError unless it is valid and refers to its own entries only."""
    CLASSES[release]("Bundle").model_validate(made)
    for entry in made["entry"]:
        CLASSES[release](entry["resource"]["resourceType"]).model_validate(entry["resource"])
    by_url = {entry["fullUrl"]: entry["resource"] for entry in made["entry"]}
    assert len(by_url) == len(made["entry"])
    assert set(references(made)) <= set(by_url)


def resources(made: Resource, kind: str) -> list[Resource]:
    return [e["resource"] for e in made["entry"] if e["resource"]["resourceType"] == kind]


def kinds(made: Resource) -> set[str]:
    return {entry["resource"]["resourceType"] for entry in made["entry"]}


def referred(made: Resource, reference: Resource) -> Resource:
    """The entry that a reference is to."""
    by_url = {entry["fullUrl"]: entry["resource"] for entry in made["entry"]}
    found: Resource = by_url[reference["reference"]]
    return found


def references(value: Any) -> list[str]:
    """Every reference to a resource in this value."""
    if isinstance(value, list):
        return [each for item in value for each in references(item)]
    if isinstance(value, dict):
        own = [value["reference"]] if isinstance(value.get("reference"), str) else []
        return own + [each for item in value.values() for each in references(item)]
    return []
