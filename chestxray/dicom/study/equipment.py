"""What every result object says of the program that made it."""

import uuid
from typing import Any

from pydicom.uid import UID

from chestxray.versions import version_of

MANUFACTURER = "chestxray"
MODEL_NAME = "chestxray"
SCHEME = "99CHESTXRAY"
"""Designator of our own codes, for what no standard code means exactly (PS3.16, 8.2)."""
SOFTWARE_VERSION = version_of("chestxray")
SERIES_DESCRIPTION = "chestxray: research use only"


def uid_of(*parts: str) -> UID:
    """The UID of what these parts name, the same every time (PS3.5, B.2: derived from a UUID)."""
    return UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, '/'.join((MANUFACTURER, *parts))).int}")


def identification() -> dict[str, Any]:
    """Attributes of the module General Equipment."""
    return {
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": MODEL_NAME,
        "software_versions": SOFTWARE_VERSION,
        "device_serial_number": SOFTWARE_VERSION,
    }
