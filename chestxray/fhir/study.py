"""The study, the series and the object that a radiograph is, as its header names them.

An ImagingStudy is an entry of its own, not contained in the report: what has an identity may not
lose it by containment (FHIR, "Contained Resources"). It needs a subject in R4 and R5 and has none
but the reason: whom the header names is not read.
"""

from dataclasses import dataclass, field

from chestxray.dicom.instance import Instance
from chestxray.fhir import codes
from chestxray.fhir.elements import R4, R5, URI, Resource, absent, identifier, urn
from chestxray.results import Analysis

_UID_SYSTEM = "urn:dicom:uid"
"""System of DICOM's identifiers, whose values are URNs of OIDs (FHIR, ImagingStudy)."""


@dataclass(frozen=True)
class Source:
    """What a Bundle says of the study: its resources by URN, and elements of other resources."""

    resources: dict[str, Resource] = field(default_factory=dict)
    of_report: Resource = field(default_factory=dict)
    of_observations: Resource = field(default_factory=dict)


def write(analysis: Analysis, instance: Instance | None, release: str) -> Source:
    """Returns what is said of the study of an image; nothing of an image without a study."""
    if instance is None:
        return Source()
    study, image = urn(analysis.id, "study"), urn(analysis.id, "image")
    resources = {study: _study(instance, release)}
    if release == R5 and instance.series:
        resources[image] = _selection(instance, study)
    moment = {"effectiveDateTime": started} if (started := _date(instance)) else {}
    number = _accession_number(instance)
    return Source(
        resources,
        of_report={
            "imagingStudy" if release == R4 else "study": [{"reference": study}],
            # The number is that of the order; several reports may have it.
            **({"basedOn": [{"type": "ServiceRequest", "identifier": number}]} if number else {}),
            **moment,
        },
        of_observations={"derivedFrom": [{"reference": list(resources)[-1]}], **moment},
    )


def _study(instance: Instance, release: str) -> Resource:
    """The study as far as it is known: neither whether an archive has it, nor its other images."""
    number, started = _accession_number(instance), _date(instance)
    return {
        "resourceType": "ImagingStudy",
        "identifier": [
            identifier(f"urn:oid:{instance.study}", _UID_SYSTEM),
            *([number] if number else []),
        ],
        "status": "unknown",
        "subject": absent("masked"),
        **({"started": started} if started else {}),
        **({"series": [_series(instance, release)]} if instance.series else {}),
    }


def _series(instance: Instance, release: str) -> Resource:
    return {
        "uid": instance.series,
        "modality": _modality(instance, release),
        "instance": [_image(instance)],
    }


def _modality(instance: Instance, release: str) -> Resource:
    """Required in both releases; a Coding in R4, a CodeableConcept in R5."""
    if instance.modality is None:
        return absent("unknown")
    code = codes.coding(codes.DICOM, instance.modality, codes.MODALITIES[instance.modality])
    return code if release == R4 else {"coding": [code]}


def _image(instance: Instance) -> Resource:
    sop_class = {"system": URI, "code": f"urn:oid:{instance.sop_class}"}
    return {"uid": instance.sop_instance, "sopClass": sop_class}


def _selection(instance: Instance, study: str) -> Resource:
    return {
        "resourceType": "ImagingSelection",
        "status": "available",  # of the selection itself
        "code": codes.SOURCE_IMAGE,
        "studyUid": instance.study,
        "derivedFrom": [{"reference": study}],
        "seriesUid": instance.series,
        "instance": [_image(instance)],
    }


def _accession_number(instance: Instance) -> Resource | None:
    if instance.accession_number is None:
        return None
    return {"type": codes.ACCESSION_NUMBER, "value": instance.accession_number}


def _date(instance: Instance) -> str | None:
    """The date alone: DICOM's times have no zone, without which FHIR allows no time."""
    return instance.study_date.isoformat() if instance.study_date else None
