"""Deliveries: retried, given up, never to an address that is not allowed, and none is lost."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from bentos.webhooks import deliverer as deliverer_module
from bentos.webhooks import schedule
from bentos.webhooks.connecting import PinnedBackend
from bentos.webhooks.deliverer import Deliverer
from bentos.webhooks.deliveries import LEASE
from bentos.webhooks.schedule import PAUSES
from bentos.webhooks.sending import Answer, Failure, Sender
from tests.service.keeping import Gateway
from tests.service.receivers import LOOPBACK, Receiver, receiver
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
