"""Codes of the FHIR resources; those of our own are the ones of the DICOM report."""

import uuid
from typing import Any

from chestxray.dicom.instance import Modality

SNOMED, UCUM = "http://snomed.info/sct", "http://unitsofmeasure.org"
DICOM = "http://dicom.nema.org/resources/ontology/DCM"
OWN = f"urn:oid:2.25.{uuid.uuid5(uuid.NAMESPACE_OID, 'chestxray/99CHESTXRAY').int}"
"""URI of the scheme that DICOM calls 99CHESTXRAY; an OID derived from a UUID (PS3.5, B.2)."""

RESEARCH = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
    "code": "HRESCH",
    "display": "healthcare research",
}
"""Security label: the purpose that the resource may be used for."""


def coding(system: str, code: str, display: str) -> dict[str, Any]:
    """A Coding."""
    return {"system": system, "code": code, "display": display}


def concept(system: str, code: str, display: str) -> dict[str, Any]:
    """A CodeableConcept with one coding."""
    return {"coding": [coding(system, code, display)], "text": display}


RADIOLOGY = concept("http://terminology.hl7.org/CodeSystem/v2-0074", "RAD", "Radiology")
IMAGING = concept(
    "http://terminology.hl7.org/CodeSystem/observation-category", "imaging", "Imaging"
)
CHEST_IMAGING = concept(SNOMED, "413815006", "Chest imaging")
PERFORMER = concept(
    "http://terminology.hl7.org/CodeSystem/provenance-participant-type", "performer", "Performer"
)
ACCESSION_NUMBER = concept("http://terminology.hl7.org/CodeSystem/v2-0203", "ACSN", "Accession ID")
IMAGE = concept("http://terminology.hl7.org/CodeSystem/media-type", "image", "Image")
SOURCE_IMAGE = concept(DICOM, "121322", "Source image for image processing operation")
MODALITIES: dict[Modality, str] = {
    "CR": "Computed Radiography",
    "DX": "Digital Radiography",
    "RG": "Radiographic imaging",
}
"""PS3.16, CID 29."""
