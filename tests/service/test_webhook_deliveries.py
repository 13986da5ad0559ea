"""Deliveries: retried, given up, never to an address that is not allowed, and none is lost."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from bentos.metric_labels import WebhookOutcome
from bentos.webhooks import deliverer as deliverer_module
from bentos.webhooks import schedule
from bentos.webhooks.connecting import PinnedBackend
from bentos.webhooks.deliverer import Deliverer
from bentos.webhooks.deliveries import LEASE
from bentos.webhooks.schedule import PAUSES
from bentos.webhooks.sending import Answer, Failure, Sender
from tests.service.keeping import Gateway
from tests.service.receivers import LOOPBACK, NAME, Receiver, receiver
from tests.service.webhook_steps import (
    ON,
    WEBHOOKS,
    Clock,
    Run,
    attempt,
    claimed,
    create,
    deliverer,
    due_at,
    end_job,
    messages,
    rows,
    set_failing_since,
    shown,
)


def send(sender: Sender, url: str) -> Answer:
    return asyncio.run(sender.send(url, {"webhook-id": "1"}, b"{}"))


def sender_to(hospital: Receiver, **options: Any) -> Sender:
    backend = PinnedBackend((LOOPBACK,), resolve=hospital.resolve)
    return Sender(backend, tls=hospital.tls, **options)


def test_failed_delivery_is_retried_with_the_same_id_until_it_is_given_up(
    run_keeping: Run, hospital: Receiver
) -> None:
    async def test(gateway: Gateway) -> None:
        client, clock = await gateway.holder(), Clock()
        made = await create(client, hospital.url)
        await end_job(client)
        hospital.status = 500
        clock.now = (await due_at(gateway))[0]
        by = deliverer(gateway, hospital, now=clock)
        for planned in PAUSES:
            assert await attempt(by, gateway, clock)
            (due,) = await due_at(gateway)
            assert planned <= due - clock.now <= 1.2 * planned
            clock.now = due - timedelta(seconds=1)
            assert not await attempt(by, gateway, clock)
            clock.now = due
        assert await attempt(by, gateway, clock)

        assert len(hospital.received) == len(PAUSES) + 1
        assert len({(each.body, each.headers["webhook-id"]) for each in hospital.received}) == 1
        assert len({each.headers["webhook-timestamp"] for each in hospital.received}) > len(PAUSES)
        last = hospital.received[-1]
        signed = Webhook(made["secret"]).sign(hospital.ids[0], clock.now, last.body.decode())
        assert last.headers["webhook-signature"] == signed
        (message,) = await messages(client, made)
        assert (message["state"], message["last_status"]) == ("given_up", 500)
        assert message["attempts"] == len(PAUSES) + 1
        assert (await shown(client, made))["disabled"] is None

    run_keeping(test, **ON)


def test_success_after_failures_clears_them(run_keeping: Run, hospital: Receiver) -> None:
    async def test(gateway: Gateway) -> None:
        client, clock = await gateway.holder(), Clock()
        made = await create(client, hospital.url)
        await end_job(client)
        clock.now = (await due_at(gateway))[0]
        by = deliverer(gateway, hospital, now=clock)
        hospital.status = 503
        await attempt(by, gateway, clock)
        assert (await shown(client, made))["failing_since"]
        clock.advance(timedelta(minutes=1))
        hospital.status = 200
        await attempt(by, gateway, clock)

        assert (await shown(client, made))["failing_since"] is None
        assert [each["state"] for each in await messages(client, made)] == ["delivered"]

    run_keeping(test, **ON)


def test_receiver_that_is_gone_or_fails_for_days_gets_nothing_more(
    run_keeping: Run, hospital: Receiver
) -> None:
    async def test(gateway: Gateway) -> None:
        for status, since, reason in (
            (410, timedelta(), "gone"),
            (500, schedule.FAILING, "failing"),
        ):
            client, clock = await gateway.holder(), Clock()
            made = await create(client, hospital.url)
            for _ in range(2):
                await end_job(client)
            clock.now = max(await due_at(gateway))
            if since:
                await set_failing_since(gateway, clock.now - since)
            hospital.status = status
            by = deliverer(gateway, hospital, now=clock)
            assert await attempt(by, gateway, clock)

            assert (await shown(client, made))["disabled"] == reason
            assert [each["state"] for each in await messages(client, made)] == ["given_up"] * 2
            await end_job(client)
            assert len(await messages(client, made)) == 2
            assert not await attempt(by, gateway, clock)
            await client.delete(f"{WEBHOOKS}/{made['id']}")

    run_keeping(test, **ON)


def test_receiver_s_retry_after_is_honoured(run_keeping: Run, hospital: Receiver) -> None:
    async def test(gateway: Gateway) -> None:
        client, clock = await gateway.holder(), Clock()
        await create(client, hospital.url)
        await end_job(client)
        clock.now = (await due_at(gateway))[0]
        hospital.status, hospital.headers = 503, {"Retry-After": "600"}
        await attempt(deliverer(gateway, hospital, now=clock), gateway, clock)

        assert (await due_at(gateway))[0] - clock.now == timedelta(seconds=600)

    run_keeping(test, **ON)


def test_gateway_that_dies_with_a_claim_loses_no_delivery(
    run_keeping: Run, hospital: Receiver
) -> None:
    async def test(gateway: Gateway) -> None:
        client, clock = await gateway.holder(), Clock()
        made = await create(client, hospital.url)
        await end_job(client)
        clock.now = (await due_at(gateway))[0]
        dead = await claimed(gateway, now=clock.now)
        assert dead
        by = deliverer(gateway, hospital, now=clock)
        assert not await attempt(by, gateway, clock)

        clock.advance(LEASE)
        assert await attempt(by, gateway, clock)
        assert hospital.ids == [dead.id]
        settled = await gateway.webhooks.deliveries.settle(
            dead, Answer(failure=Failure.TIMEOUT), now=clock.now
        )
        assert settled is None
        assert [each["state"] for each in await messages(client, made)] == ["delivered"]

    run_keeping(test, **ON)


def test_stopped_gateway_leaves_what_it_has_begun_to_another(
    run_keeping: Run, hospital: Receiver
) -> None:
    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        made = await create(client, hospital.url)
        await end_job(client)
        hospital.seconds = 1
        work = asyncio.create_task(deliverer(gateway, hospital).run())
        async with asyncio.timeout(30):
            while not hospital.received:
                await asyncio.sleep(0.02)
        work.cancel()
        await asyncio.wait([work])

        assert [each["attempts"] for each in await messages(client, made)] == [0]
        claim = await claimed(gateway)
        assert claim and hospital.ids == [claim.id]

    run_keeping(test, **ON)


def test_two_gateways_deliver_each_message_once(run_keeping: Run, hospital: Receiver) -> None:
    async def test(one: Gateway, two: Gateway) -> None:
        for _ in range(4):  # a caller has one delivery in progress in each gateway
            client = await one.holder()
            await create(client, hospital.url)
            for _ in range(3):
                await end_job(client)
        by = [deliverer(each, hospital) for each in (one, two)]
        work = [asyncio.create_task(each.run()) for each in by]
        async with asyncio.timeout(60):
            while await due_at(one):
                await asyncio.sleep(0.1)
        for each in work:
            each.cancel()
        await asyncio.wait(work)

        assert len(hospital.ids) == len(set(hospital.ids)) == 12

    run_keeping(test, count=2, **ON)


def test_slow_receiver_holds_up_nobody_else_s(
    run_keeping: Run, hospital: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliverer_module, "AT_ONCE", 2)

    async def test(gateway: Gateway) -> None:
        with receiver(tmp_path) as other:
            slow, quick = await gateway.holder(), await gateway.holder()
            await create(slow, hospital.literal_url)
            made = await create(quick, other.literal_url)
            for _ in range(3):
                await end_job(slow)
            await end_job(quick)
            hospital.seconds = 30
            context = hospital.tls
            context.load_verify_locations(other.certificate)
            keyring = gateway.history.job_images.keyring
            by = Deliverer(
                gateway.webhooks.deliveries,
                Sender(PinnedBackend((LOOPBACK,)), tls=context),
                keyring,
            )
            work = asyncio.create_task(by.run())
            async with asyncio.timeout(10):
                while not other.received:
                    await asyncio.sleep(0.05)
            work.cancel()
            await asyncio.wait([work])
            assert other.received[0].verified(made["secret"])
            assert len(hospital.received) == 1

    run_keeping(test, **ON)


def test_bug_in_one_delivery_ends_no_other(run_keeping: Run, hospital: Receiver) -> None:
    async def broken(url: str, headers: Any, body: bytes) -> Answer:
        raise RuntimeError("a bug")

    async def test(gateway: Gateway) -> None:
        client, clock = await gateway.holder(), Clock()
        made = await create(client, hospital.url)
        await end_job(client)
        clock.now = (await due_at(gateway))[0]
        by = deliverer(gateway, hospital, now=clock)
        by._sender.send = broken  # type: ignore[method-assign]
        assert await attempt(by, gateway, clock)

        (message,) = await messages(client, made)
        assert (message["state"], message["last_error"]) == ("waiting", "protocol")

    run_keeping(test, **ON)


def test_messages_go_with_their_job_and_webhooks_with_their_key(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        revoked, other = await gateway.holder(), await gateway.holder()
        await create(revoked)
        made = await create(other)
        await end_job(revoked)
        jobs = [await end_job(other) for _ in range(2)]
        await other.delete(jobs[0])
        key = (await gateway.history.keys.list())[0]
        assert await gateway.history.keys.revoke(key.id)
        await gateway.jobs.worker.sweep()

        assert await rows(gateway) == (1, 1)
        assert [each["state"] for each in await messages(other, made)] == ["waiting"]
        assert await claimed(gateway)

    run_keeping(test, **ON)


def test_backlog_counts_no_receiver_that_fails_as_late(
    run_keeping: Run, hospital: Receiver
) -> None:
    async def test(gateway: Gateway) -> None:
        client, clock = await gateway.holder(), Clock()
        await create(client, hospital.url)
        await end_job(client)
        (clock.now,) = await due_at(gateway)
        clock.advance(timedelta(minutes=3))
        deliveries = gateway.webhooks.deliveries
        assert await deliveries.backlog(now=clock.now) == (1, 180)
        await set_failing_since(gateway, clock.now)

        assert await deliveries.backlog(now=clock.now) == (1, 0)

    run_keeping(test, **ON)


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


def test_name_that_is_rebound_between_two_deliveries_reaches_nothing(hospital: Receiver) -> None:
    answers = [["8.8.8.8"], [hospital.address]]

    async def rebinding(host: str, port: int) -> list[str]:
        return answers.pop(0)

    sender = Sender(PinnedBackend((), resolve=rebinding), tls=hospital.tls, seconds=0.5)
    first, second = send(sender, hospital.url), send(sender, hospital.url)

    assert first.failure in (Failure.TIMEOUT, Failure.UNREACHABLE)  # tests have no Internet
    assert second.failure is Failure.REFUSED_ADDRESS
    assert hospital.received == []


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


def test_outcomes_are_counted(run_keeping: Run, hospital: Receiver) -> None:
    from bentos.history_metrics import get_history_metrics

    def count(outcome: WebhookOutcome) -> float:
        series = get_history_metrics().webhook_deliveries.labels(outcome)
        return float(series._value.get())

    async def test(gateway: Gateway) -> None:
        before = [count(each) for each in WebhookOutcome]
        client, clock = await gateway.holder(), Clock()
        await create(client, hospital.url)
        for _ in range(3):
            await end_job(client)
        clock.now = max(await due_at(gateway))
        by = deliverer(gateway, hospital, now=clock)
        for hospital.status in (204, 500, 410):
            assert await attempt(by, gateway, clock)

        assert [count(each) for each in WebhookOutcome] == [each + 1 for each in before]

    run_keeping(test, **ON)
