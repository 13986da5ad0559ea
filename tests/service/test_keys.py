"""API keys over HTTP: by the rules of the command, for those with the scope admin."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from bentos.callers.caller import Scope
from tests.service.fakes import DARK, check_problem, form
from tests.service.keeping import Gateway

Run = Callable[..., None]
KEYS = "/v1/keys"
NEW = {"name": "a hospital", "scopes": ["analyse", "history"]}


async def made(client: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    answer = await client.post(KEYS, json=NEW | changes)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    found: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"{KEYS}/{found['id']}"
    return found


def with_key(gateway: Gateway, text: str) -> httpx.AsyncClient:
    client = gateway.visitor()
    client.headers["Authorization"] = f"Bearer {text}"
    return client


def test_key_that_was_made_admits_and_its_secret_is_shown_once(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        admin = await gateway.holder(*Scope)
        key = await made(admin, requests_per_minute=1, retention_hours=72, expires_days=2)

        holder = with_key(gateway, key.pop("key"))
        first = await holder.post("/v1/analyses", **form(DARK))
        assert first.headers["ratelimit-policy"] == '"images";q=1;w=60'
        assert (await admin.get(f"{KEYS}/{key['id']}")).json() == key
        assert key in (await admin.get(KEYS)).json()["keys"]
        ends = datetime.fromisoformat(key["expires_at"])
        assert ends - datetime.fromisoformat(key["created_at"]) == timedelta(days=2)
        assert (key["scopes"], key["state"]) == (["analyse", "history"], "valid")

    run_keeping(test)


def test_nobody_without_admin_may_do_anything_or_learn_of_a_key(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        await gateway.holder(*Scope)
        (key,) = await gateway.history.keys.list()
        others = [await gateway.holder(Scope.ANALYSE, Scope.HISTORY, Scope.ANNOTATE)]
        for client in [*others, gateway.visitor()]:
            tried = [
                await client.request(method, f"{KEYS}/{each}{end}")
                for each in (key.id, "f" * 16)
                for method, end in (("GET", ""), ("DELETE", ""), ("POST", "/rotate"))
            ]
            for answer in [*tried, await client.get(KEYS), await client.post(KEYS, json=NEW)]:
                assert check_problem(answer, 403, "scope-missing")

        assert len(await gateway.history.keys.list()) == 2
        unknown = with_key(gateway, f"cxr_{key.id}_{43 * 'x'}")
        check_problem(await unknown.get(KEYS), 401, "invalid-key")

    run_keeping(test)


def test_nobody_gives_a_scope_that_it_does_not_have(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        rich, poor = await gateway.holder(*Scope), await gateway.holder(Scope.ADMIN, Scope.ANALYSE)
        given = await made(poor, scopes=["admin", "analyse"])
        assert given["scopes"] == ["admin", "analyse"]

        refused = await poor.post(KEYS, json=NEW)
        assert "history" in check_problem(refused, 403, "scope-missing").detail
        richer = await made(rich)
        rotated = await poor.post(f"{KEYS}/{richer['id']}/rotate")
        check_problem(rotated, 403, "scope-missing")
        assert (await with_key(gateway, richer["key"]).get("/v1/analyses")).status_code == 200

    run_keeping(test)


def test_rotated_key_has_a_new_secret_beside_the_old_one(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        admin = await gateway.holder(*Scope)
        key = await made(admin)

        answer = await admin.post(f"{KEYS}/{key['id']}/rotate", params={"overlap_hours": 3})

        rotated = answer.json()
        until = datetime.fromisoformat(rotated["previous_secret_until"])
        assert timedelta(hours=2.9) < until - datetime.now(UTC) <= timedelta(hours=3)
        assert (rotated["id"], rotated["name"]) == (key["id"], key["name"])
        for text in (key["key"], rotated["key"]):
            assert (await with_key(gateway, text).get("/v1/analyses")).status_code == 200
        at_once = await admin.post(f"{KEYS}/{key['id']}/rotate", params={"overlap_hours": 0})
        assert at_once.json()["previous_secret_until"] is None

    run_keeping(test)


def test_revoked_key_is_refused_and_stays_in_the_list(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        admin = await gateway.holder(*Scope)
        key = await made(admin)
        for _ in range(2):  # a retry does no harm
            assert (await admin.delete(f"{KEYS}/{key['id']}")).status_code == 204

        check_problem(await with_key(gateway, key["key"]).get("/v1/analyses"), 401, "invalid-key")
        check_problem(await admin.post(f"{KEYS}/{key['id']}/rotate"), 409, "key-ended")
        listed = (await admin.get(KEYS)).json()["keys"]
        ended = (await admin.get(KEYS, params={"ended": "true"})).json()["keys"]
        assert key["id"] not in [each["id"] for each in listed]
        assert [each["state"] for each in ended if each["id"] == key["id"]] == ["revoked"]

    run_keeping(test)


def test_expired_key_is_not_rotated(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        admin = await gateway.holder(*Scope)
        expired, _ = await gateway.history.keys.create(
            "old", [Scope.ANALYSE], lifetime=timedelta(microseconds=1)
        )

        answer = await admin.post(f"{KEYS}/{expired.id}/rotate")

        assert "expired" in check_problem(answer, 409, "key-ended").detail

    run_keeping(test)


def test_last_key_with_admin_is_revoked_only_on_demand(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        admin = await gateway.holder(*Scope)
        (own,) = await gateway.history.keys.list()
        await gateway.history.keys.create(
            "an expired admin", list(Scope), lifetime=timedelta(microseconds=1)
        )
        check_problem(await admin.delete(f"{KEYS}/{own.id}"), 409, "last-admin-key")
        assert (await admin.get(KEYS)).status_code == 200

        second = await made(admin, scopes=["admin"])
        assert (await admin.delete(f"{KEYS}/{second['id']}")).status_code == 204
        answer = await admin.delete(f"{KEYS}/{own.id}", params={"last": "true"})
        assert answer.status_code == 204
        assert await gateway.history.keys.list() == []

    run_keeping(test)


def test_administrators_who_revoke_each_other_at_once_leave_one(run_keeping: Run) -> None:
    async def test(first: Gateway, second: Gateway) -> None:
        clients = [await first.holder(Scope.ADMIN), await first.holder(Scope.ADMIN)]
        clients[1]._transport = second.client._transport
        own, other = [each.id for each in await first.history.keys.list()]
        assert (await clients[1].get(KEYS)).status_code == 200

        answers = await asyncio.gather(
            clients[0].delete(f"{KEYS}/{other}"), clients[1].delete(f"{KEYS}/{own}")
        )

        codes = sorted(each.status_code for each in answers)
        assert codes[0] == 204 and codes[1] in (401, 409)
        assert len(await first.history.keys.list()) == 1

    run_keeping(test, count=2)


def test_list_has_every_key_once_over_several_pages(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        admin = await gateway.holder(*Scope)
        names = [(await made(admin, name=f"hospital {number}"))["name"] for number in range(4)]

        found, cursor = [], None
        while True:
            params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
            answer = await admin.get(KEYS, params=params)
            page = answer.json()
            found += [each["name"] for each in page["keys"]]
            assert ("link" in answer.headers) is (page["next"] is not None)
            if (cursor := page["next"]) is None:
                break
        assert found == [*reversed(names), "a hospital"]

    run_keeping(test)


def test_identifier_that_is_none_is_not_found(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        admin = await gateway.holder(*Scope)
        for each in ("f" * 16, "F" * 16, f"cxr_{16 * 'f'}_{43 * 'x'}"):
            check_problem(await admin.get(f"{KEYS}/{each}"), 404, "no-such-key")

    run_keeping(test)


def test_what_is_done_to_keys_has_a_line_each(run_keeping: Run, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"

    async def test(gateway: Gateway) -> None:
        admin = await gateway.holder(*Scope)
        (own,) = await gateway.history.keys.list()
        key = await made(admin)
        one = f"{KEYS}/{key['id']}"
        await admin.get(KEYS)
        await admin.get(one)
        rotated = (await admin.post(f"{one}/rotate")).json()
        await admin.delete(one)
        await admin.post(f"{one}/rotate")
        await admin.delete(f"{KEYS}/{own.id}")
        await admin.get(f"{KEYS}/{key['key']}")

        text = file.read_text()
        lines = [json.loads(line) for line in text.splitlines()]
        assert [(each["event"], each["outcome"], each.get("key")) for each in lines] == [
            ("key.created", "success", key["id"]),
            ("key.listed", "success", None),
            ("key.read", "success", key["id"]),
            ("key.rotated", "success", key["id"]),
            ("key.revoked", "success", key["id"]),
            ("key.rotated", "refused", key["id"]),
            ("key.revoked", "refused", own.id),
            ("key.read", "not_found", None),
        ]
        assert {each["actor"] for each in lines} == {f"key:{own.id}"}
        assert "a hospital" not in text
        for each in (key, rotated):
            assert each["key"].split("_", 2)[2] not in text

    run_keeping(test, audit_file=str(file))


@pytest.mark.parametrize("anonymous", [True, False])
def test_caller_is_told_what_it_may_do(run_keeping: Run, anonymous: bool) -> None:
    async def test(gateway: Gateway) -> None:
        admin, analyst = await gateway.holder(*Scope), await gateway.holder(Scope.ANALYSE)
        told = [(await each.get("/v1/caller")).json() for each in (admin, analyst, gateway.client)]

        assert [(each["kind"], each["scopes"]) for each in told] == [
            ("key", ["admin", "analyse", "annotate", "history"]),
            ("key", ["analyse"]),
            ("none", ["analyse", "history"] if anonymous else []),
        ]
        unknown = with_key(gateway, f"cxr_{16 * 'f'}_{43 * 'x'}")
        check_problem(await unknown.get("/v1/caller"), 401, "invalid-key")

    run_keeping(test, anonymous=anonymous)
