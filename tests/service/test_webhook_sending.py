"""One attempt: over TLS to an address that is allowed, without redirects, bounded."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from bentos.webhooks.connecting import PinnedBackend
from bentos.webhooks.sending import Answer, Failure, Sender
from tests.service.receivers import LOOPBACK, NAME, Receiver, receiver


def send(sender: Sender, url: str) -> Answer:
    return asyncio.run(sender.send(url, {"webhook-id": "1"}, b"{}"))


def sender_to(hospital: Receiver, **options: Any) -> Sender:
    backend = PinnedBackend((LOOPBACK,), resolve=hospital.resolve)
    return Sender(backend, tls=hospital.tls, **options)


def test_redirect_is_not_followed(hospital: Receiver, tmp_path: Path) -> None:
    with receiver(tmp_path) as inner:
        hospital.status, hospital.headers = 302, {"Location": inner.literal_url}

        assert send(sender_to(hospital), hospital.url) == Answer(302, Failure.STATUS)
        assert inner.received == []


@pytest.mark.parametrize("networks", [(), (LOOPBACK,)])
def test_loopback_is_reached_only_where_the_operator_allows_it(
    hospital: Receiver, networks: Sequence[Any]
) -> None:
    for url in (hospital.url, hospital.literal_url):
        backend = PinnedBackend(networks, resolve=hospital.resolve)
        if url == hospital.literal_url:
            backend = PinnedBackend(networks)
        answer = send(Sender(backend, tls=hospital.tls), url)
        assert answer.failure == (None if networks else Failure.REFUSED_ADDRESS)
    assert len(hospital.received) == 2 * len(networks)


def test_name_that_is_rebound_between_two_deliveries_reaches_nothing(
    hospital: Receiver, tmp_path: Path
) -> None:
    with receiver(tmp_path) as inner:
        answers = [[hospital.address], [inner.address]]

        async def rebinding(host: str, port: int) -> list[str]:
            return answers.pop(0)

        context = hospital.tls
        context.load_verify_locations(inner.certificate)
        backend = PinnedBackend((ip_network(hospital.address),), resolve=rebinding)
        sender = Sender(backend, tls=context)

        assert send(sender, hospital.url) == Answer(204)
        assert send(sender, hospital.url) == Answer(failure=Failure.REFUSED_ADDRESS)
        assert inner.received == []


def test_certificate_must_be_trusted_and_for_the_name(hospital: Receiver) -> None:
    backend = PinnedBackend((LOOPBACK,), resolve=hospital.resolve)
    assert send(Sender(backend), hospital.url).failure is Failure.TLS

    async def other(host: str, port: int) -> list[str]:
        return [hospital.address]

    elsewhere = hospital.url.replace(NAME, "other.example")
    sender = Sender(PinnedBackend((LOOPBACK,), resolve=other), tls=hospital.tls)
    assert send(sender, elsewhere).failure is Failure.TLS
    assert hospital.received == []


def test_proxy_of_the_environment_is_not_used(
    hospital: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "ALL_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert send(sender_to(hospital), hospital.url) == Answer(204)


def test_slow_receiver_is_given_up_in_time(hospital: Receiver) -> None:
    hospital.seconds = 20
    begun = time.monotonic()

    assert send(sender_to(hospital, seconds=0.5), hospital.url) == Answer(failure=Failure.TIMEOUT)
    assert time.monotonic() - begun < 5


def test_large_answer_is_not_read(hospital: Receiver) -> None:
    hospital.status, hospital.body = 200, b"x" * 2**26
    begun = time.monotonic()

    assert send(sender_to(hospital), hospital.url) == Answer(200)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("far", [30, 3600])
def test_retry_after_may_be_seconds_or_a_date(hospital: Receiver, far: int) -> None:
    hospital.status = 429
    hospital.headers = {"Retry-After": str(far)}
    assert send(sender_to(hospital), hospital.url).retry_after == far
    then = datetime.now(UTC) + timedelta(seconds=far)
    hospital.headers = {"Retry-After": format_datetime(then, usegmt=True)}
    asked = send(sender_to(hospital), hospital.url).retry_after
    assert asked is not None and abs(asked - far) < 5
    hospital.headers = {"Retry-After": "soon"}
    assert send(sender_to(hospital), hospital.url).retry_after is None
