"""What is done to kept analyses is in the audit file, and nothing that it must not have."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bentos.callers.caller import Scope
from bentos.callers.visitors import COOKIE
from bentos.database.tables import analyses
from tests.service.fakes import DARK, form
from tests.service.keeping import KEEP, Gateway, keep
from tests.service.test_history import expire
from tests.service.webhook_steps import URL, WEBHOOKS, create

Run = Callable[..., None]
Lines = list[dict[str, Any]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def read(file: Path) -> Lines:
    """The lines so far; the next call has only those that follow."""
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    file.unlink()
    return lines


def told(lines: Lines, *more: str) -> list[tuple[str, ...]]:
    return [tuple(str(line.get(name)) for name in ("event", "outcome", *more)) for line in lines]


def test_what_a_caller_does_has_a_line_each(run_keeping: Run, file: Path) -> None:
    async def test(gateway: Gateway) -> None:
        holder = await gateway.holder()
        made = (await keep(holder, headers={"x-request-id": "r-kept"})).json()["id"]
        await holder.get(f"/v1/analyses/{made}")
        await holder.get(f"/v1/analyses/{made}", headers={"accept": "text/plain"})
        await holder.get(f"/v1/analyses/{made}/heatmap")
        await holder.get("/v1/analyses")
        assert (await holder.delete(f"/v1/analyses/{made}")).status_code == 204
        assert (await holder.delete(f"/v1/analyses/{made}")).status_code == 404
        await keep(holder)
        await holder.delete("/v1/analyses")

        (key,) = await gateway.history.keys.list()
        lines = read(file)
        assert told(lines) == [
            ("analysis.kept", "success"),
            ("analysis.read", "success"),
            ("analysis.read", "success"),
            ("analysis.picture_read", "success"),
            ("analysis.listed", "success"),
            ("analysis.deleted", "success"),
            ("analysis.deleted", "not_found"),
            ("analysis.kept", "success"),
            ("analyses.deleted_all", "success"),
        ]
        assert {line["actor"] for line in lines} == {f"key:{key.id}"}
        assert lines[0]["request_id"] == "r-kept"
        assert {line["analysis"] for line in lines[:4]} == {made}
        assert (lines[3]["picture"], lines[4]["analyses"]) == ("heatmap", [made])
        assert lines[-1]["count"] == 1

    run_keeping(test, audit_file=str(file))


def test_webhooks_made_rotated_and_deleted_have_a_line_without_their_url(
    run_keeping: Run, file: Path
) -> None:
    async def test(gateway: Gateway) -> None:
        holder = await gateway.holder()
        made = await create(holder)
        await holder.post(f"{WEBHOOKS}/{made['id']}/rotate-secret")
        await holder.delete(f"{WEBHOOKS}/{made['id']}")
        text = file.read_text()
        lines = read(file)

        assert told(lines, "webhook") == [
            ("webhook.created", "success", made["id"]),
            ("webhook.rotated", "success", made["id"]),
            ("webhook.deleted", "success", made["id"]),
        ]
        assert URL not in text and made["secret"] not in text

    run_keeping(test, audit_file=str(file), webhooks=True)


def test_strangers_tries_are_noted_without_names_cookies_or_addresses(
    run_keeping: Run, file: Path
) -> None:
    async def test(gateway: Gateway) -> None:
        visitor, stranger = gateway.visitor(), gateway.visitor()
        made = (await keep(visitor)).json()["id"]
        await keep(stranger)
        assert (await stranger.get(f"/v1/analyses/{made}")).status_code == 404

        text = file.read_text()
        kept, own, tried = read(file)
        assert told([tried], "analysis") == [("analysis.read", "not_found", made)]
        assert tried["actor"] == own["actor"] != kept["actor"]
        for each in (visitor, stranger):
            assert each.cookies[COOKIE].partition(".")[0] not in text
        assert not any(word in text for word in ("127.0.0.1", "x.png", "a hospital"))

    run_keeping(test, audit_file=str(file))


def test_repetition_of_a_request_is_a_read(run_keeping: Run, file: Path) -> None:
    async def test(gateway: Gateway) -> None:
        holder = await gateway.holder()
        for _ in range(2):
            await keep(holder, headers={"idempotency-key": "same"})

        lines = read(file)
        assert told(lines) == [("analysis.kept", "success"), ("analysis.read", "success")]
        assert lines[0]["analysis"] == lines[1]["analysis"]

    run_keeping(test, audit_file=str(file))


def test_what_expires_is_the_services_deed(run_keeping: Run, file: Path) -> None:
    async def test(gateway: Gateway) -> None:
        old, deleted = [(await keep(gateway.visitor())).json()["id"] for _ in range(2)]
        await gateway.history.records.hide(await owner_of(gateway, deleted), deleted)
        await expire(gateway, old)
        read(file)
        assert await gateway.history.archive.sweep() == 2

        assert told(read(file), "actor", "analysis") == [
            ("analysis.expired", "success", "service", old)
        ]

    run_keeping(test, audit_file=str(file))


async def owner_of(gateway: Gateway, identifier: str) -> str:
    async with gateway.history.database.reading() as connection:
        wanted = select(analyses.c.owner).where(analyses.c.id == identifier)
        return str((await connection.execute(wanted)).scalar_one())


def test_refused_callers_are_noted_with_the_reason(run_keeping: Run, file: Path) -> None:
    async def test(gateway: Gateway) -> None:
        reader = await gateway.holder(Scope.HISTORY)
        secret = reader.headers["authorization"].split("_", 2)[2]
        wrong = gateway.visitor()
        wrong.headers["authorization"] = reader.headers["authorization"][:-4] + "AAAA"
        for client in (gateway.visitor(), wrong, reader):
            assert (await client.post(KEEP, **form(DARK))).status_code in (401, 403)

        (key,) = await gateway.history.keys.list()
        assert secret[:20] not in file.read_text()
        assert told(read(file), "reason", "actor") == [
            ("authentication.refused", "refused", "key-required", "unknown"),
            ("authentication.refused", "refused", "invalid-key", "unknown"),
            ("authentication.refused", "refused", "scope-missing", f"key:{key.id}"),
        ]

    run_keeping(test, audit_file=str(file), anonymous=False)


def test_full_disk_fails_no_request(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        made = (await keep(gateway.client)).json()["id"]

        assert (await gateway.client.get(f"/v1/analyses/{made}")).status_code == 200
        assert (await gateway.client.delete(f"/v1/analyses/{made}")).status_code == 204

    run_keeping(test, audit_file="/dev/full")
