"""One problem code: status, meaning, and advice."""

from dataclasses import dataclass
from http import HTTPStatus

RETRY = "Try again after the number of seconds in Retry-After."


@dataclass(frozen=True)
class Code:
    """Status and explanation of a code."""

    status: HTTPStatus
    meaning: str
    advice: str
    public: bool = True
    """Whether API clients can get it; the others only occur between gateways and classifier
    pods."""
