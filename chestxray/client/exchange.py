"""One call from its first try to its result, as steps that a client takes; no input or output."""

import math
import ssl
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import httpx

from chestxray.client.attempts import Attempts, Retries
from chestxray.client.calls import Answer, Call, Result
from chestxray.client.errors import (
    ChestXrayError,
    ConnectionFailed,
    DeadlineExceeded,
    UnexpectedAnswer,
)
from chestxray.versions import version_of

DEFAULT_TIMEOUT = 60.0
"""Seconds of a call; the service gives a try 30 unless it is set otherwise."""
_CONNECT_SECONDS = 5.0
"""A host that does not answer by then is tried again."""
_MOST_BYTES = 512 * 2**20
"""Of an answer: several times the largest picture, 3 bytes for each of 25 million pixels."""
_AGENT = f"chestxray/{version_of('chestxray')}"
_LONGEST_MS = 24 * 60 * 60 * 1000
"""The service refuses a longer deadline."""


@dataclass(frozen=True)
class Options:
    """What all calls of a client have in common. Raises ValueError."""

    url: str
    timeout: float
    retries: Retries
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # may have a secret

    def __post_init__(self) -> None:
        _check(self.timeout)

    def start(self, call: Call[Result], timeout: float | None) -> "Exchange[Result]":
        """Begins a call, whose time starts to run. Raises ValueError."""
        seconds = self.timeout if timeout is None else timeout
        _check(seconds)
        return exchange(self, call, Attempts(self.retries, seconds))


def with_key(headers: Mapping[str, str] | None, api_key: str | None) -> dict[str, str]:
    """Adds an API key to headers."""
    key = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    return {**(headers or {}), **key}


def _check(timeout: float) -> None:
    if not 0 < timeout < math.inf:
        raise ValueError(f"a timeout of {timeout} s is not above 0")


@dataclass(frozen=True)
class Pause:
    """A step: wait."""

    seconds: float


@dataclass(frozen=True)
class Send:
    """A step: send a request and receive its answer, within `seconds`."""

    seconds: float
    request: Mapping[str, Any]
    """Arguments of httpx's `build_request`."""


Outcome: TypeAlias = Answer | ChestXrayError | None
"""What a step led to; nothing after a pause."""
Exchange: TypeAlias = Generator[Send | Pause, Outcome, Result]


def exchange(options: Options, call: Call[Result], attempts: Attempts) -> Exchange[Result]:
    """Yields steps, is sent their outcomes, and returns the result. Raises ChestXrayError."""
    while True:
        seconds = attempts.begin()
        outcome = yield Send(seconds, _request(options, call, seconds))
        try:
            return _result(call, outcome)
        except ChestXrayError as error:
            pause = attempts.pause_after(error)
        yield Pause(pause)


def _result(call: Call[Result], outcome: Outcome) -> Result:
    if isinstance(outcome, Answer):
        return call.read(outcome)
    raise outcome or UnexpectedAnswer("there is none")


def _request(options: Options, call: Call[Result], seconds: float) -> dict[str, Any]:
    milliseconds = min(_LONGEST_MS, max(1, math.floor(seconds * 1000)))
    return {
        "method": call.method,
        "url": options.url.rstrip("/") + call.path,
        "params": dict(call.params),
        "headers": {
            "User-Agent": _AGENT,
            **options.headers,
            **call.headers,
            "X-Request-Timeout-Ms": str(milliseconds),
        },
        "timeout": httpx.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS)),
        **call.body,
    }


class Receiving:
    """The answer to a step while it arrives."""

    def __init__(self, step: Send) -> None:
        self._end, self._body = time.monotonic() + step.seconds, bytearray()

    def add(self, chunk: bytes) -> None:
        """Raises DeadlineExceeded; UnexpectedAnswer for more bytes than any answer has."""
        self._body += chunk
        if len(self._body) > _MOST_BYTES:
            raise UnexpectedAnswer(f"the answer has more than {_MOST_BYTES} bytes")
        if time.monotonic() > self._end:
            raise DeadlineExceeded("the answer arrived too slowly")

    def answer(self, response: httpx.Response) -> Answer:
        return Answer(response.status_code, response.headers, bytes(self._body))


def failure(error: httpx.RequestError) -> ChestXrayError:
    """The client's error for one of httpx's.

    Every wait but that for a connection lasts until the deadline, so that its timeout is the
    deadline's.
    """
    described = f"{type(error).__name__}: {error}"
    if isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout):
        return DeadlineExceeded(described)
    passing = isinstance(
        error, httpx.NetworkError | httpx.ConnectTimeout | httpx.RemoteProtocolError
    )
    return ConnectionFailed(described, lasting=not passing or _untrusted(error))


def _untrusted(error: BaseException | None) -> bool:
    """Whether TLS refused the certificate, somewhere in the chain of causes."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
