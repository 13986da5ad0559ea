"""The steps of a call, without input or output."""

import ssl

import httpx
import pytest

from bentos.gateway.examples import ANSWERS, problem
from chestxray.client import (
    ConnectionFailed,
    DeadlineExceeded,
    Retries,
    UnexpectedAnswer,
    calls,
)
from chestxray.client import exchange as module
from chestxray.client.attempts import Attempts
from chestxray.client.calls import Answer
from chestxray.client.exchange import Options, Pause, Receiving, Send, exchange, failure

RETRIES = Retries(first_pause=0.5)
ONE = calls.analyze(b"image", "none")
OPTIONS = Options("https://service.test", 60, RETRIES)


def answer(status: int, document: object, **headers: str) -> Answer:
    response = httpx.Response(status, json=document, headers=headers)
    return Answer(status, response.headers, response.content)


def test_each_try_tells_the_service_the_time_that_is_left() -> None:
    now = [100.0]
    attempts = Attempts(RETRIES, 5, now=lambda: now[0], draw=lambda low, high: high)
    steps = exchange(OPTIONS, ONE, attempts)

    first = next(steps)
    now[0] += 1
    pause = steps.send(answer(503, problem("overloaded"), **{"Retry-After": "2"}))
    assert isinstance(pause, Pause)
    now[0] += pause.seconds
    second = steps.send(None)
    with pytest.raises(StopIteration) as done:
        steps.send(answer(200, ANSWERS["analyse_image"]))

    assert pause.seconds == 2.5
    for step, seconds in ((first, 5), (second, 1.5)):
        assert isinstance(step, Send)
        assert step.seconds == seconds
        assert step.request["headers"]["X-Request-Timeout-Ms"] == f"{seconds * 1000:.0f}"
        assert step.request["timeout"] == httpx.Timeout(seconds)
    assert done.value.value.prediction.label == "no_finding"


@pytest.mark.parametrize(("seconds", "sent"), [(0.0004, 1), (1.9999, 1999), (1e6, 86_400_000)])
def test_time_is_sent_as_the_service_takes_it(seconds: float, sent: int) -> None:
    attempts = Attempts(RETRIES, seconds, now=lambda: 0.0)

    step = next(exchange(OPTIONS, ONE, attempts))

    assert isinstance(step, Send)
    assert step.request["headers"]["X-Request-Timeout-Ms"] == str(sent)


def test_silent_host_is_given_up_before_the_deadline() -> None:
    step = next(OPTIONS.start(ONE, None))

    assert isinstance(step, Send)
    assert step.request["timeout"].connect == 5
    assert step.request["timeout"].read > 50


def test_lost_connection_is_a_step_like_any_other() -> None:
    steps = OPTIONS.start(ONE, None)
    next(steps)

    assert isinstance(steps.send(ConnectionFailed("reset", lasting=False)), Pause)
    assert isinstance(steps.send(None), Send)


@pytest.mark.parametrize(
    ("error", "kind", "lasting"),
    [
        (httpx.ConnectError("refused"), ConnectionFailed, False),
        (httpx.ConnectTimeout("silent"), ConnectionFailed, False),
        (httpx.WriteError("reset"), ConnectionFailed, False),
        (httpx.RemoteProtocolError("closed"), ConnectionFailed, False),
        (httpx.UnsupportedProtocol("ftp"), ConnectionFailed, True),
        (httpx.DecodingError("gzip"), ConnectionFailed, True),
        (httpx.TooManyRedirects("round"), ConnectionFailed, True),
        (httpx.ReadTimeout("late"), DeadlineExceeded, None),
        (httpx.WriteTimeout("late"), DeadlineExceeded, None),
        (httpx.PoolTimeout("late"), DeadlineExceeded, None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors_of_httpx_become_the_clients(
    error: httpx.RequestError, kind: type[Exception], lasting: bool | None
) -> None:
    found = failure(error)

    assert type(found) is kind
    assert getattr(found, "lasting", None) is lasting


def test_certificate_that_is_not_trusted_is_not_tried_again() -> None:
    error = httpx.ConnectError("certificate verify failed")
    error.__cause__ = OSError()
    error.__cause__.__context__ = ssl.SSLCertVerificationError()

    found = failure(error)

    assert isinstance(found, ConnectionFailed)
    assert found.lasting


def test_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 10)
    receiving = Receiving(Send(60, {}))
    receiving.add(bytes(10))

    with pytest.raises(UnexpectedAnswer, match="more than 10 bytes"):
        receiving.add(b"1")
