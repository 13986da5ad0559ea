"""The values of the metrics' labels, where only some are possible."""

from enum import StrEnum
from typing import Literal


class Outcome(StrEnum):
    """What became of a request."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    """The filter did not take the image for a frontal chest X-ray."""
    CLIENT_ERROR = "client_error"
    SHED = "shed"
    """It was refused because a capacity limit was reached."""
    DEADLINE = "deadline"
    SERVER_ERROR = "server_error"


class CallerKind(StrEnum):
    """How a caller was told apart."""

    KEY = "key"
    PERSON = "person"
    """By the session of somebody who has signed in."""
    VISITOR = "visitor"
    """By its cookie."""
    NONE = "none"
    """Not at all: it has none of these, or none is valid."""


class QuotaKind(StrEnum):
    """Whose quota was used up."""

    KEY = "key"
    PERSON = "person"
    ADDRESS = "address"


class ShedReason(StrEnum):
    """The capacity limit for which a request was refused."""

    IMAGES = "images"
    """The images in flight, or the time that new ones would wait."""
    BYTES = "bytes"
    SHARE = "share"
    """The part of either that one caller may hold."""
    PACE = "pace"
    """The requests of one caller that wait for their turn."""
    CONNECTIONS = "connections"


class Stage(StrEnum):
    """A stage of an image's analysis."""

    ADMITTED = "admitted"
    """All of them together: from admission to the answer."""
    QUEUE = "queue"
    """The wait for a decoder."""
    DECODE = "decode"
    FILTER = "filter"
    CLASSIFY = "classify"
    RENDER = "render"


WorkStage = Literal[Stage.DECODE, Stage.FILTER, Stage.CLASSIFY, Stage.RENDER]
TimedStage = Literal[Stage.QUEUE, WorkStage]
InFlightStage = Literal[Stage.ADMITTED, WorkStage]
ModelStage = Literal[Stage.FILTER, Stage.CLASSIFY]
DropStage = Literal[Stage.DECODE, ModelStage]
"""A stage before which an image is dropped that nobody waits for any longer."""


class JobOutcome(StrEnum):
    """What became of an image of a job."""

    ANALYSED = "analysed"
    PROBLEM = "problem"
    """It has a problem instead of an analysis: the filter's, or of its file."""


class WebhookOutcome(StrEnum):
    """What became of an attempt to deliver to a webhook."""

    DELIVERED = "delivered"
    FAILED = "failed"
    """It will be tried again."""
    GIVEN_UP = "given_up"
    """It failed, and that was the last attempt."""


class DecoderRestartReason(StrEnum):
    """Why a decoder's process was replaced."""

    PROCESSOR_TIME = "processor time"
    MEMORY = "memory"
    DIED = "died"
    HUNG = "hung"
    WRONG_ANSWER = "wrong answer"
    IDLE = "idle"
    """It failed before it had a file."""


class ProcessName(StrEnum):
    """A process that the supervisor starts."""

    GATEWAY = "gateway"
    CLASSIFIER_POD = "classifier_pod"
    XRAY_FILTER = "xray_filter"
    COVID_CLASSIFIER = "covid_classifier"


class ProcessRestartReason(StrEnum):
    """Why a process was started again."""

    EXITED = "exited"
    HUNG = "hung"


class ModelName(StrEnum):
    """A model, by the name in its card."""

    XRAY_FILTER = "xray_filter"
    COVID_CLASSIFIER = "covid_classifier"


class Backend(StrEnum):
    """Where a batch was computed."""

    LOCAL = "local"
    """In the model process beside the gateway."""
    PODS = "pods"


PodFailureReason = Literal[
    "unreachable", "timeout", "busy", "refused", "malformed", "implausible", "wrong"
]
"""Why a classifier pod is not used."""


class Swept(StrEnum):
    """What a sweep deletes."""

    ANALYSES = "analyses"
    JOBS = "jobs"


class StoragePart(StrEnum):
    """A part of the storage of kept analyses."""

    DATABASE = "database"
    OBJECT_STORE = "object_store"
    """The bucket, or the folder of pictures."""
