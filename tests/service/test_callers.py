"""Keys and cookies: who may do what, and whose the analyses are."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import select

from bentos.callers.caller import Scope
from bentos.callers.visitors import COOKIE
from bentos.database.tables import api_keys
from tests.service.fakes import DARK, check_problem, form
from tests.service.keeping import KEEP, Gateway, ids, keep

Run = Callable[..., None]
PNG = b"\x89PNG"


def test_key_is_stored_as_a_digest_and_ends_when_it_is_revoked(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        secret = client.headers["Authorization"].split("_", 2)[2]
        (key,) = await gateway.history.keys.list()
        async with gateway.history.database.reading() as connection:
            row = (await connection.execute(select(api_keys))).mappings().one()

        assert secret not in str(row)
        assert await gateway.history.keys.revoke(key.id)
        check_problem(await client.get("/v1/analyses"), 401, "invalid-key")

    run_keeping(test)


def test_rotated_key_keeps_its_analyses_and_its_old_secret_ends(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        old = await gateway.holder()
        made = (await keep(old)).json()["id"]
        (key,) = await gateway.history.keys.list()
        rotated = await gateway.history.keys.rotate(key.id, overlap=timedelta(seconds=-1))
        assert rotated
        new = gateway.visitor()
        new.headers["Authorization"] = f"Bearer {rotated[1]}"

        # The gateway remembers a key for some seconds.
        await asyncio.sleep(5.1)
        assert await ids(new) == [made]
        check_problem(await old.get("/v1/analyses"), 401, "invalid-key")

    run_keeping(test)


def test_scopes_bound_what_a_key_may_do(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        analyst, reader = await gateway.holder(Scope.ANALYSE), await gateway.holder(Scope.HISTORY)

        assert (await analyst.post("/v1/analyses", **form(DARK))).status_code == 200
        check_problem(await analyst.post(KEEP, **form(DARK)), 403, "scope-missing")
        check_problem(await analyst.get("/v1/analyses"), 403, "scope-missing")
        check_problem(await reader.post("/v1/analyses", **form(DARK)), 403, "scope-missing")
        check_problem(await reader.post("/v1/analyses/batch", **form(DARK)), 403, "scope-missing")
        assert (await reader.get("/v1/analyses")).status_code == 200

    run_keeping(test)


def test_service_for_holders_of_keys_refuses_all_others(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        for path in ("/v1/analyses", "/v1/analyses/batch"):
            refused = await gateway.client.post(path, **form(DARK))
            check_problem(refused, 401, "key-required")
            assert refused.headers["www-authenticate"].startswith("Bearer")
        infer = await gateway.client.post("/v2/models/chestxray/infer", json={})
        assert (infer.status_code, infer.json()["code"]) == (401, "key-required")
        assert (await gateway.client.get("/v1/models")).status_code == 200
        holder = await gateway.holder()
        assert (await holder.post("/v1/analyses", **form(DARK))).status_code == 200

    run_keeping(test, anonymous=False)


def test_cookie_is_for_this_service_alone_and_cannot_be_forged(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        answer = await keep(gateway.client)
        cookie = answer.headers["set-cookie"]
        value = answer.cookies[COOKIE]
        thief = gateway.visitor()
        # Not the last character, some of whose bits stand for nothing.
        thief.cookies.set(COOKIE, f"{value[:-2]}{'A' if value[-2] != 'A' else 'B'}{value[-1]}")

        assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Max-Age=86400" in cookie
        assert "Secure" not in cookie
        check_problem(await thief.get(answer.headers["location"]), 404, "no-such-analysis")
        assert await ids(gateway.client) == [answer.json()["id"]]

    run_keeping(test)


def test_cookie_is_secure_where_a_trusted_proxy_has_https(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        answer = await keep(gateway.client, headers={"X-Forwarded-Proto": "https"})

        assert "Secure" in answer.headers["set-cookie"]

    run_keeping(test, trusted_proxies=("127.0.0.1/32",))
