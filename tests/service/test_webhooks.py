"""Webhooks: a caller is told of the end of its jobs, signed, at least once, and nobody else is."""

import asyncio
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from bentos.callers.caller import Scope
from bentos.database.errors import StorageUnavailable
from bentos.webhooks.endpoints import MOST
from tests.service.fakes import DARK, check_problem
from tests.service.job_steps import finished, submit, working
from tests.service.keeping import Gateway
from tests.service.receivers import NAME, Receiver
from tests.service.webhook_steps import (
    ON,
    URL,
    WEBHOOKS,
    Clock,
    Run,
    attempt,
    claimed,
    create,
    deliverer,
    end_job,
    messages,
    rows,
    shown,
)


def test_end_of_a_job_arrives_signed_and_without_results(
    run_keeping: Run, hospital: Receiver
) -> None:
    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        made = await create(client, hospital.url)
        async with working(gateway):
            await finished(client, await submit(client, DARK, b"no image", params={"id": "night"}))
        assert await attempt(deliverer(gateway, hospital), gateway, Clock())

        (message,) = hospital.received
        event = message.verified(made["secret"])
        timestamp = event.pop("timestamp")
        assert abs((datetime.fromisoformat(timestamp) - datetime.now(UTC)).total_seconds()) < 60
        assert event == {
            "type": "job.finished",
            "data": {"id": "night", "state": "finished", "total": 2, "done": 2},
        }
        assert message.path == "/hook?of=chestxray"
        assert message.headers["host"] == f"{NAME}:8443"
        with pytest.raises(WebhookVerificationError):
            Webhook("whsec_" + "A" * 44).verify(message.body, message.headers)
        (delivery,) = await messages(client, made)
        assert (delivery["state"], delivery["attempts"]) == ("delivered", 1)
        assert (delivery["id"], delivery["last_status"]) == (hospital.ids[0], 204)
        assert not await claimed(gateway)

    run_keeping(test, **ON)


def test_job_of_refused_images_alone_and_a_cancelled_one_are_told(
    run_keeping: Run, hospital: Receiver
) -> None:
    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        made = await create(client, hospital.url)
        await submit(client, b"", b"")
        await end_job(client)
        by = deliverer(gateway, hospital)
        while await attempt(by, gateway, Clock()):
            pass

        data = [each.verified(made["secret"])["data"] for each in hospital.received]
        assert [(each["state"], each["total"], each["done"]) for each in data] == [
            ("finished", 2, 2),
            ("cancelled", 1, 0),
        ]

    run_keeping(test, **ON)


def test_job_ends_only_together_with_its_message(
    run_keeping: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(*_: object) -> None:
        raise StorageUnavailable("the process died here")

    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        made = await create(client)
        job = await submit(client, DARK)
        claim = await gateway.jobs.queue.claim(now=datetime.now(UTC))
        assert claim
        with monkeypatch.context() as patched, pytest.raises(StorageUnavailable):
            patched.setattr("bentos.jobs.queue.announce", dies)
            await gateway.jobs.queue.finish(claim, {"code": "x"})
        assert (await client.get(job)).json()["state"] == "queued"
        assert await messages(client, made) == []

        assert await gateway.jobs.queue.finish(claim, {"code": "x"})
        assert not await gateway.jobs.queue.finish(claim, {"code": "x"})
        assert (await client.get(job)).json()["state"] == "finished"
        assert len(await messages(client, made)) == 1

    run_keeping(test, **ON)


def test_only_the_caller_s_own_jobs_are_told(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        mine, other = await gateway.holder(), await gateway.holder()
        made, _ = await create(mine), await create(other)
        await end_job(gateway.visitor())
        await end_job(other)

        assert await messages(mine, made) == []
        assert (await rows(gateway)) == (2, 1)

    run_keeping(test, **ON)


def test_background_work_of_a_gateway_delivers_by_its_settings_alone(
    run_keeping: Run, hospital: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(hospital.certificate))

    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        made = await create(client, hospital.literal_url)
        await end_job(client)
        work = asyncio.create_task(gateway.webhooks.run())
        async with asyncio.timeout(30):
            while not hospital.received:
                await asyncio.sleep(0.05)
        work.cancel()
        await asyncio.wait([work])

        assert hospital.received[0].verified(made["secret"])["type"] == "job.finished"

    run_keeping(test, **ON)


def test_secret_is_shown_once_and_rotated_with_a_day_of_both(
    run_keeping: Run, hospital: Receiver
) -> None:
    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        made = await create(client, hospital.url)
        listed = await client.get(WEBHOOKS)
        assert (
            made["secret"] not in listed.text + (await client.get(f"{WEBHOOKS}/{made['id']}")).text
        )
        rotated = (await client.post(f"{WEBHOOKS}/{made['id']}/rotate-secret")).json()
        assert rotated["secret"] != made["secret"]
        await end_job(client)
        assert await attempt(deliverer(gateway, hospital), gateway, Clock())

        (message,) = hospital.received
        assert len(message.headers["webhook-signature"].split()) == 2
        assert message.verified(made["secret"]) == message.verified(rotated["secret"])

        later = Clock()
        later.now = datetime.fromisoformat(rotated["previous_secret_until"])
        await end_job(client)
        assert await attempt(deliverer(gateway, hospital, now=later), gateway, later)
        assert len(hospital.received[1].headers["webhook-signature"].split()) == 1

    run_keeping(test, **ON)


def test_stored_secrets_are_encrypted_where_there_are_keys(
    run_keeping: Run, hospital: Receiver
) -> None:
    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        made = await create(client, hospital.url)
        (stored,) = await gateway.webhooks.endpoints.list(
            (await gateway.history.keys.list())[0].caller.owner
        )

        assert made["secret"].encode() not in stored.secret
        assert stored.encryption_key == "one"
        await end_job(client)
        assert await attempt(deliverer(gateway, hospital), gateway, Clock())
        assert hospital.received[0].verified(made["secret"])

    run_keeping(test, **ON, encryption_keys=f"one:{'A' * 43}=")


def test_url_that_nothing_is_sent_to_is_refused(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        for url in ("http://hospital.example/hook", "https://10.0.0.1/", "https://a:b@h.example/"):
            answer = await client.post(WEBHOOKS, json={"url": url})
            check_problem(answer, 400, "webhook-url-refused")
            assert url not in answer.text
        assert await rows(gateway) == (0, 0)

    run_keeping(test, webhooks=True)


def test_bodies_that_are_no_webhook_are_refused(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        for body in ({}, {"url": 1}, {"url": URL, "more": 1}, {"url": "https://" + "a" * 2000}, []):
            check_problem(await client.post(WEBHOOKS, json=body), 400, "invalid-parameter")
        for body in ("", "{"):
            sent = await client.post(
                WEBHOOKS, content=body, headers={"Content-Type": "application/json"}
            )
            check_problem(sent, 400, "invalid-parameter")
        form = await client.post(WEBHOOKS, data={"url": URL})
        check_problem(form, 415, "unsupported-media-type")
        large = await client.post(WEBHOOKS, json={"url": "a" * 10_000})
        check_problem(large, 413, "body-too-large")

    run_keeping(test, **ON)


def test_webhooks_are_off_unless_the_operator_turns_them_on(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()

        check_problem(await client.post(WEBHOOKS, json={"url": URL}), 403, "webhooks-disabled")
        assert (await client.get(WEBHOOKS)).json() == {"webhooks": []}
        assert gateway.webhooks.deliverer is None
        async with asyncio.timeout(5):
            await gateway.webhooks.run()

    run_keeping(test)


def test_visitors_and_keys_without_the_scope_have_no_webhooks(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        visitor, analyst = gateway.visitor(), await gateway.holder(Scope.ANALYSE)
        for client, code in ((visitor, "not-for-visitors"), (analyst, "scope-missing")):
            check_problem(await client.get(WEBHOOKS), 403, code)
            check_problem(await client.post(WEBHOOKS, json={"url": URL}), 403, code)

    run_keeping(test, **ON)


def test_one_caller_has_a_bounded_number_also_when_it_asks_at_once(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        client, other = await gateway.holder(), await gateway.holder()
        answers = await asyncio.gather(
            *[client.post(WEBHOOKS, json={"url": URL}) for _ in range(MOST + 3)]
        )

        refused = [each for each in answers if each.status_code != 201]
        assert len(refused) == 3
        check_problem(refused[0], 403, "too-many-webhooks")
        assert len((await client.get(WEBHOOKS)).json()["webhooks"]) == MOST
        made = await create(other)
        assert (await other.delete(f"{WEBHOOKS}/{made['id']}")).status_code == 204

    run_keeping(test, **ON)


def test_deleted_webhook_gets_nothing_any_more(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        made = await create(client)
        await end_job(client)
        path = f"{WEBHOOKS}/{made['id']}"
        assert (await client.delete(path)).status_code == 204

        assert await rows(gateway) == (0, 0)
        assert not await claimed(gateway)
        for method, more in (("GET", ""), ("GET", "/deliveries"), ("DELETE", "")):
            check_problem(await client.request(method, path + more), 404, "no-such-webhook")

    run_keeping(test, **ON)


def test_webhook_of_another_cannot_be_told_from_none(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        owner, stranger = await gateway.holder(), await gateway.holder(*Scope)
        made = await create(owner)
        path = f"{WEBHOOKS}/{made['id']}"
        for method, more in (
            ("GET", ""),
            ("GET", "/deliveries"),
            ("POST", "/rotate-secret"),
            ("DELETE", ""),
        ):
            check_problem(await stranger.request(method, path + more), 404, "no-such-webhook")

        assert (await stranger.get(WEBHOOKS)).json() == {"webhooks": []}
        assert (await shown(owner, made))["previous_secret_until"] is None

    run_keeping(test, **ON)
