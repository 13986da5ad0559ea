"""A result with the radiograph that it is of: what every object of it is made from."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from pydicom.dataset import Dataset

from chestxray.dicom.study import equipment
from chestxray.dicom.study.order import Algorithm
from chestxray.dicom.study.source import UTF_8
from chestxray.results import Analysis


class Kind(IntEnum):
    """The objects of a result. Each kind has a series of its own, with this number."""

    REPORT = 9001
    PICTURE = 9002
    OVERLAY = 9003


@dataclass(frozen=True)
class Result:
    """An analysis of the image in `source`; `language` is an RFC 5646 tag of a text of ours."""

    source: Dataset
    analysis: Analysis
    xray_filter: Algorithm
    covid_classifier: Algorithm
    language: str

    def identification(self, kind: Kind) -> dict[str, Any]:
        """The series and the instance of an object, and what made it.

        A result that is written twice has the same UIDs, so that an archive keeps one of them.
        """
        digests = (self.xray_filter.digest, self.covid_classifier.digest)
        series = (self.source.SeriesInstanceUID, *digests, kind.name)
        return equipment.identification() | {
            "series_instance_uid": equipment.uid_of(*series),
            "series_number": kind.value,
            "sop_instance_uid": equipment.uid_of(self.analysis.id, kind.name),
            "instance_number": 1,
            "specific_character_set": UTF_8,
        }

    @property
    def moment(self) -> dict[str, Any]:
        """When the content was made, which a presentation state does not say."""
        made = self.analysis.created_at
        return {"content_date": made.date(), "content_time": made.time()}
