"""Analyses are kept where that is asked, for their caller alone, until they are deleted."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from bentos.database.tables import analyses
from bentos.history.archive import PARTS, name_of
from tests.service.fakes import BRIGHT, DARK, check_problem, form
from tests.service.keeping import KEEP, Gateway, ids, keep, left

Run = Callable[..., None]
PNG = b"\x89PNG"


async def expire(gateway: Gateway, identifier: str) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    changed = update(analyses).where(analyses.c.id == identifier).values(expires_at=past)
    async with gateway.history.database.writing() as connection:
        await connection.execute(changed)


def test_kept_analysis_is_read_listed_and_deleted(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        client = gateway.client
        answer = await keep(client)
        place, made = answer.headers["location"], answer.json()

        assert place == f"/v1/analyses/{made['id']}"
        assert made["kept"] is True
        lasts = datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(
            made["created_at"]
        )
        assert lasts == timedelta(hours=24)
        assert (await client.get(place)).json() == made
        for part in PARTS:
            picture = await client.get(f"{place}/{part}")
            assert (picture.status_code, picture.headers["content-type"]) == (200, "image/png")
            assert picture.content.startswith(PNG)
        assert await ids(client) == [made["id"]]
        assert (await client.delete(place)).status_code == 204
        for path in (place, *(f"{place}/{part}" for part in PARTS)):
            check_problem(await client.get(path), 404, "no-such-analysis")
        check_problem(await client.delete(place), 404, "no-such-analysis")
        assert await ids(client) == []
        assert await left(gateway) == (0, 0)

    run_keeping(test)


@pytest.mark.parametrize("heatmap", ["none", "all"])
def test_kept_analysis_has_a_heatmap_whatever_is_asked(run_keeping: Run, heatmap: str) -> None:
    async def test(gateway: Gateway) -> None:
        answer = await gateway.client.post(f"{KEEP}&heatmap={heatmap}", **form(DARK))

        assert answer.status_code == 201
        assert answer.json()["heatmap"]
        assert (answer.json()["heatmaps"] is not None) == (heatmap == "all")
        picture = await gateway.client.get(f"{answer.headers['location']}/heatmap")
        assert picture.content.startswith(PNG)

    run_keeping(test)


def test_nothing_is_kept_unless_asked(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        answer = await gateway.client.post("/v1/analyses", **form(DARK))

        assert answer.status_code == 200
        assert (answer.json()["kept"], answer.json()["expires_at"]) == (False, None)
        assert "set-cookie" not in answer.headers
        assert await left(gateway) == (0, 0)

    run_keeping(test)


def test_rejected_image_is_not_kept(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        answer = await gateway.client.post(KEEP, **form(BRIGHT))

        check_problem(answer, 422, "not-a-frontal-chest-xray")
        assert "set-cookie" not in answer.headers
        assert await left(gateway) == (0, 0)

    run_keeping(test)


def test_list_is_newest_first_and_complete_over_its_pages(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        made = [(await keep(client)).json()["id"] for _ in range(5)]

        assert await ids(client) == made[::-1]
        first = await client.get("/v1/analyses?limit=2")
        assert first.headers["link"].endswith('; rel="next"')
        following = first.headers["link"].partition(">")[0].removeprefix("<")
        assert (await client.get(following)).json()["analyses"][0]["id"] == made[2]

    run_keeping(test)


def test_kept_analysis_in_other_forms_is_that_of_the_first_answer(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        text = await client.post(KEEP, **form(DARK), headers={"Accept": "text/plain"})
        drawn = await client.post(KEEP, **form(DARK), headers={"Accept": "image/png"})

        assert (text.status_code, drawn.status_code) == (201, 201)
        assert (
            await client.get(text.headers["location"], headers={"Accept": "text/plain"})
        ).text == text.text
        assert (await client.get(f"{drawn.headers['location']}/heatmap")).content == drawn.content
        bundle = await client.get(
            text.headers["location"], headers={"Accept": "application/fhir+json"}
        )
        assert bundle.json()["resourceType"] == "Bundle"
        dicom = await client.get(text.headers["location"], headers={"Accept": "application/dicom"})
        check_problem(dicom, 406, "not-acceptable")

    run_keeping(test)


def test_expired_analysis_is_gone_at_once_and_swept_later(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        kept, expired = [(await keep(client)).json()["id"] for _ in range(2)]
        await expire(gateway, expired)

        check_problem(await client.get(f"/v1/analyses/{expired}"), 404, "no-such-analysis")
        check_problem(await client.get(f"/v1/analyses/{expired}/image"), 404, "no-such-analysis")
        assert await ids(client) == [kept]
        assert await left(gateway) == (2, 4)
        assert await gateway.history.archive.sweep() == 1
        assert await left(gateway) == (1, 2)

    run_keeping(test)


def test_all_of_a_caller_is_deleted_and_nothing_of_another(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        mine, other = await gateway.holder(), await gateway.holder()
        for _ in range(3):
            await keep(mine)
        kept = (await keep(other)).json()["id"]

        assert (await mine.delete("/v1/analyses")).json() == {"deleted": 3}
        assert await ids(mine) == []
        assert await ids(other) == [kept]
        await gateway.history.archive.sweep()
        assert await left(gateway) == (1, 2)

    run_keeping(test)


def test_what_one_gateway_keeps_another_reads_deletes_and_sweeps(run_keeping: Run) -> None:
    async def test(one: Gateway, two: Gateway) -> None:
        writer = await one.holder()
        reader = two.visitor()
        reader.headers["Authorization"] = writer.headers["Authorization"]
        kept, deleted, expired = [(await keep(writer)).json()["id"] for _ in range(3)]
        await expire(one, expired)

        assert await ids(reader) == [deleted, kept]
        assert (await reader.get(f"/v1/analyses/{kept}/image")).content.startswith(PNG)
        assert (await reader.delete(f"/v1/analyses/{deleted}")).status_code == 204
        check_problem(await writer.get(f"/v1/analyses/{deleted}"), 404, "no-such-analysis")
        assert await two.history.archive.sweep() == 1
        assert await left(one) == (1, 2)

    run_keeping(test, count=2)


def test_caller_keeps_no_more_than_it_may(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        await keep(client)
        last = (await keep(client)).headers["location"]

        check_problem(await client.post(KEEP, **form(DARK)), 403, "too-many-kept")
        await client.delete(last)
        await keep(client)

    run_keeping(test, max_kept_per_caller=2)


def test_full_storage_keeps_nothing_more_and_still_analyses(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        kept = (await keep(gateway.client)).headers["location"]

        refused = await gateway.client.post(KEEP, **form(DARK))
        check_problem(refused, 503, "storage-unavailable")
        assert refused.headers["retry-after"]
        assert (await gateway.client.post("/v1/analyses", **form(DARK))).status_code == 200
        await gateway.client.delete(kept)
        await gateway.history.archive.sweep()
        await keep(gateway.client)

    run_keeping(test, max_kept_bytes=4000)


def test_kept_analysis_lasts_as_long_as_its_key_says(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        made = (await keep(await gateway.holder(retention_hours=72))).json()

        lasts = datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(
            made["created_at"]
        )
        assert lasts == timedelta(hours=72)

    run_keeping(test)


def test_record_has_nothing_of_the_file_name_or_the_cookie_alone(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        name = "Maria-da-Silva-1961.png"
        files = {"files": [("image", (name, DARK, "image/png"))]}
        assert (await gateway.client.post(KEEP, **files)).status_code == 201

        async with gateway.history.database.reading() as connection:
            rows = (await connection.execute(select(analyses))).mappings().all()
        assert "Maria" not in str(rows)

    run_keeping(test)


def test_pictures_are_encrypted_and_old_keys_still_decrypt(run_keeping: Run, storage: Any) -> None:
    first, second = f"one:{'A' * 43}=", f"two:{'B' * 42}A="
    places: list[str] = []
    keys: list[str] = []

    async def write(gateway: Gateway) -> None:
        client = await gateway.holder()
        keys.append(client.headers["Authorization"])
        answer = await keep(client)
        places.append(answer.headers["location"])
        for part in PARTS:
            name = name_of(answer.json()["id"], part)
            gateway.history.blobs.keyring = type(gateway.history.blobs.keyring)({})
            with pytest.raises(Exception, match="not among"):
                await gateway.history.blobs.get(name, encrypted=True)

    async def read(gateway: Gateway) -> None:
        answer = await gateway.client.get(f"{places[0]}/image", headers={"Authorization": keys[0]})
        assert answer.content.startswith(PNG)

    async def fail(gateway: Gateway) -> None:
        answer = await gateway.client.get(f"{places[0]}/image", headers={"Authorization": keys[0]})
        check_problem(answer, 503, "storage-unavailable")

    run_keeping(write, encryption_keys=first)
    run_keeping(read, encryption_keys=f"{second},{first}")
    run_keeping(fail, encryption_keys=second)
    run_keeping(fail)
