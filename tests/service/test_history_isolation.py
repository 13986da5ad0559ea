"""Nobody reads, lists, deletes or learns of another's kept analysis, by any route there is."""

import statistics
import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from bentos.callers.caller import Scope
from bentos.gateway.keys import KEYS
from tests.service.faulty_provider import Provider
from tests.service.keeping import Gateway, keep
from tests.service.signing_in import person, settings_of
from tests.service.webhook_steps import URL, WEBHOOKS

Run = Callable[..., None]
_SAMPLES, _TRIES = 300, 4
_TOLERANCE = 0.1
"""Of the ratio of two medians; an extra query or a comparison of a digest would be more."""


async def operations(client: httpx.AsyncClient) -> list[tuple[str, str]]:
    """Every method and path of the OpenAPI document."""
    document = (await client.get("/openapi.json")).json()
    return [
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods
    ]


def told(answer: httpx.Response) -> Any:
    """All that an answer says, but for what differs between any two requests."""
    headers = {
        k: v for k, v in answer.headers.items() if k not in ("x-request-id", "server-timing")
    }
    try:
        body = answer.json()
    except ValueError:
        return answer.status_code, headers, answer.content
    for name in ("request_id", "timing_ms"):
        body.pop(name, None) if isinstance(body, dict) else None
    return answer.status_code, headers, body


def code_of(answer: httpx.Response) -> str | None:
    """The problem's code; visitors have no webhooks, and are told so whatever the id is."""
    found: str | None = answer.json().get("code")
    return found


async def strangers(gateway: Gateway, provider: Provider) -> list[httpx.AsyncClient]:
    """Two holders of keys, one an administrator, two visitors, one with a cookie, and a person."""
    visitor = gateway.visitor()
    await keep(visitor)
    holders = [await gateway.holder(), await gateway.holder(*Scope)]
    for holder in holders:
        await keep(holder)
    signed_in = await person(gateway, provider, "a stranger")
    await keep(signed_in)
    return [*holders, visitor, gateway.visitor(), signed_in]


async def owner_by(kind: str, gateway: Gateway, provider: Provider) -> httpx.AsyncClient:
    """Somebody who can keep something."""
    match kind:
        case "key":
            return await gateway.holder()
        case "session":
            return await person(gateway, provider, "an owner")
        case _:
            return gateway.visitor()


@pytest.mark.parametrize("owned_by", ["key", "cookie", "session"])
def test_no_route_tells_another_s_analysis_from_none(
    run_keeping: Run, owned_by: str, provider: Provider
) -> None:
    async def test(gateway: Gateway) -> None:
        owner = await owner_by(owned_by, gateway, provider)
        mine = (await keep(owner)).json()["id"]
        image = (await owner.get(f"/v1/analyses/{mine}/image")).content
        tried = [each for each in await operations(owner) if "{id}" in each[1]]
        assert len(tried) >= 4 and any(path.startswith(KEYS) for _, path in tried)

        others = await strangers(gateway, provider)
        admin = others[1]
        for stranger in others:
            for method, path in tried:
                answers = [
                    await stranger.request(method, path.replace("{id}", identifier))
                    for identifier in (mine, uuid.uuid4().hex)
                ]
                assert told(answers[0]) == told(answers[1]), (method, path)
                barred = path.startswith(KEYS) and stranger is not admin
                missing = 403 if barred else 404
                visitor = code_of(answers[0]) == "not-for-visitors"
                assert answers[0].status_code == missing or visitor

        assert (await owner.get(f"/v1/analyses/{mine}/image")).content == image

    run_keeping(test, **settings_of(provider))


def test_no_route_without_an_identifier_shows_or_deletes_another_s(
    run_keeping: Run, provider: Provider
) -> None:
    async def test(gateway: Gateway) -> None:
        owner = await person(gateway, provider, "an owner")
        mine = (await keep(owner)).json()["id"]

        for stranger in await strangers(gateway, provider):
            for method, path in await operations(stranger):
                if "{" not in path:
                    answer = await stranger.request(method, path)
                    assert mine not in answer.text, (method, path)

        assert (await owner.get(f"/v1/analyses/{mine}")).status_code == 200

    run_keeping(test, **settings_of(provider))


def test_no_route_tells_another_s_webhook_from_none(run_keeping: Run, provider: Provider) -> None:
    async def test(gateway: Gateway) -> None:
        owner = await gateway.holder()
        mine = (await owner.post(WEBHOOKS, json={"url": URL})).json()["id"]
        tried = [each for each in await operations(owner) if each[1].startswith(WEBHOOKS)]
        assert len(tried) >= 6

        for stranger in await strangers(gateway, provider):
            for method, path in tried:
                answers = [
                    await stranger.request(method, path.replace("{id}", identifier))
                    for identifier in (mine, uuid.uuid4().hex)
                ]
                assert told(answers[0]) == told(answers[1]), (method, path)
                assert mine not in answers[0].text
                assert answers[0].status_code in (403, 404) or "{id}" not in path

        found = (await owner.get(WEBHOOKS)).json()["webhooks"]
        assert [(each["id"], each["previous_secret_until"]) for each in found] == [(mine, None)]

    run_keeping(test, webhooks=True, **settings_of(provider))


def test_no_route_tells_a_key_from_none_to_those_without_admin(
    run_keeping: Run, provider: Provider
) -> None:
    async def test(gateway: Gateway) -> None:
        others = await strangers(gateway, provider)
        key = (await gateway.history.keys.list())[0].id
        for stranger in [others[0], *others[2:]]:
            for method, path in await operations(stranger):
                if path.startswith(KEYS):
                    answers = [
                        await stranger.request(method, path.replace("{id}", identifier))
                        for identifier in (key, "f" * 16)
                    ]
                    assert told(answers[0]) == told(answers[1]), (method, path)
                    assert answers[0].status_code == 403

    run_keeping(test, **settings_of(provider))


@pytest.mark.alone
def test_time_does_not_tell_another_s_analysis_from_none(run_keeping: Run) -> None:
    async def median_ratio(gateway: Gateway, mine: str) -> float:
        stranger = await gateway.holder()
        seconds: dict[bool, list[float]] = {True: [], False: []}
        for number in range(2 * _SAMPLES):
            exists = bool(number % 2)
            identifier = mine if exists else uuid.uuid4().hex
            begun = time.perf_counter()
            await stranger.get(f"/v1/analyses/{identifier}")
            seconds[exists].append(time.perf_counter() - begun)
        return statistics.median(seconds[True]) / statistics.median(seconds[False])

    async def test(gateway: Gateway) -> None:
        mine = (await keep(await gateway.holder())).json()["id"]

        ratios = []
        for _ in range(_TRIES):  # these machines are noisy: a real difference shows every time
            ratios.append(await median_ratio(gateway, mine))
            if abs(ratios[-1] - 1) <= _TOLERANCE:
                return
        raise AssertionError(f"another's analysis takes {ratios} times as long as none")

    run_keeping(test)
