"""What is asked of the objects of a result. Without pydicom, which the gateway does not import."""

from pydantic import BaseModel, ConfigDict

from chestxray.results import Analysis


class Algorithm(BaseModel):
    """A model that took part: its name, version, and the digest of its weights."""

    model_config = ConfigDict(frozen=True)

    name: str
    version: str
    digest: str


class Order(BaseModel):
    """Which objects to write, and of what."""

    model_config = ConfigDict(frozen=True)

    analysis: Analysis
    xray_filter: Algorithm
    covid_classifier: Algorithm
    language: str
    """One of `texts.LANGUAGES`."""
    report_alone: bool
