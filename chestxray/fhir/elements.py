"""Elements that several resources have."""

import uuid
from typing import Any

from chestxray.results import Analysis

R4, R5 = "4.0", "5.0"
RELEASES = (R4, R5)
"""Values of the media type parameter fhirVersion; the first is the default."""

URI = "urn:ietf:rfc:3986"
"""System of the identifiers and codes that are URIs."""

Resource = dict[str, Any]


def identifier(uri: str, system: str = URI) -> Resource:
    """An Identifier whose value is a URI."""
    return {"system": system, "value": uri}


def urn(*parts: str) -> str:
    """The URN of what these parts name, the same every time."""
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, '/'.join(('chestxray', *parts)))}"


def instant(analysis: Analysis) -> str:
    """When the analysis was made."""
    return analysis.created_at.isoformat(timespec="milliseconds")


def absent(reason: str) -> Resource:
    """A required element without a value (FHIR, extension data-absent-reason)."""
    url = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
    return {"extension": [{"url": url, "valueCode": reason}]}
