"""What both clients send to keep analyses and to submit jobs, also after a lost answer."""

import asyncio
import io
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from bentos.gateway.examples import ANSWERS
from chestxray.client import (
    AsyncClient,
    Client,
    DeadlineExceeded,
    JobItem,
    ProblemError,
    UnexpectedAnswer,
)
from tests.unit.chestxray.client.calling import AT_ONCE, KINDS, URL, Service, refused

pytestmark = pytest.mark.parametrize("kind", KINDS)


def kept() -> httpx.Response:
    return httpx.Response(201, json=ANSWERS["get_analysis"])


def queued(**changes: Any) -> httpx.Response:
    return httpx.Response(202, json=ANSWERS["get_job"] | changes)


def lost() -> Exception:
    return httpx.ReadError("reset by the peer")


def use(kind: str, service: Service, part: str, method: str, *arguments: Any, **more: Any) -> Any:
    """Calls a method of a part of the client of this kind; an iterator is read to its end."""
    options: dict[str, Any] = {"retries": AT_ONCE, "timeout": 10}
    transport = httpx.MockTransport(service)
    if kind == "sync":
        with httpx.Client(transport=transport) as http, Client(URL, http=http, **options) as client:
            found = getattr(getattr(client, part) if part else client, method)(*arguments, **more)
            return list(found) if hasattr(found, "__next__") else found

    async def main() -> Any:
        async with (
            httpx.AsyncClient(transport=transport) as http,
            AsyncClient(URL, http=http, **options) as client,
        ):
            found = getattr(getattr(client, part) if part else client, method)(*arguments, **more)
            return [each async for each in found] if hasattr(found, "__anext__") else await found

    return asyncio.run(main())


def test_every_try_to_keep_has_the_same_idempotency_key_and_every_call_another(kind: str) -> None:
    service = Service(lost, lost, kept)

    for _ in range(2):
        assert use(kind, service, "", "analyze", b"image", keep=True).kept

    keys = [each.headers["idempotency-key"] for each in service.requests]
    assert len(set(keys[:3])) == 1 and len(set(keys)) == 2
    assert all("keep=true" in str(each.url) for each in service.requests)


def test_analysis_that_is_not_kept_has_no_idempotency_key(kind: str) -> None:
    service = Service(kept)

    use(kind, service, "", "analyze", b"image")

    (request,) = service.requests
    assert "idempotency-key" not in request.headers
    assert "keep" not in str(request.url)


def test_list_is_read_page_by_page(kind: str) -> None:
    first = ANSWERS["list_analyses"] | {"next": "17-0f"}
    pages = [lambda: httpx.Response(200, json=first)]
    pages += [lambda: httpx.Response(200, json=ANSWERS["list_analyses"])]
    service = Service(*pages)

    found = use(kind, service, "kept", "list")

    assert [each.id for each in found] == 2 * [ANSWERS["get_analysis"]["id"]]
    assert [each.url.params.get("cursor") for each in service.requests] == [None, "17-0f"]
    assert {each.method for each in service.requests} == {"GET"}


@pytest.mark.parametrize(("part", "code"), [("kept", "no-such-analysis"), ("jobs", "no-such-job")])
def test_deletion_whose_answer_was_lost_is_done(kind: str, part: str, code: str) -> None:
    service = Service(lost, lambda: refused(code, 404))

    assert use(kind, service, part, "delete", "one") is None

    assert [each.method for each in service.requests] == ["DELETE", "DELETE"]


def test_deletion_at_a_wrong_address_is_an_error(kind: str) -> None:
    with pytest.raises(ProblemError) as raised:
        use(kind, Service(lambda: refused("not-found", 404)), "kept", "delete", "one")

    assert raised.value.code == "not-found"


def test_identifier_stays_within_its_part_of_the_path(kind: str) -> None:
    service = Service(lambda: httpx.Response(204))

    use(kind, service, "kept", "delete", "../jobs?x=1")

    assert service.requests[0].url.raw_path.endswith(b"/v1/analyses/..%2Fjobs%3Fx%3D1")


def test_job_is_sent_whole_at_every_try_and_under_one_name(kind: str, tmp_path: Path) -> None:
    film = tmp_path / "maria_silva.png"
    film.write_bytes(b"first")
    service = Service(lost, queued)

    assert use(kind, service, "jobs", "submit", [film, b"second"]).total == 2

    assert len({each.url.params["id"] for each in service.requests}) == 1
    for request in service.requests:
        assert int(request.headers["content-length"]) == len(request.content)
        with zipfile.ZipFile(io.BytesIO(request.content)) as bundle:
            names = bundle.namelist()
            assert [bundle.read(name) for name in names] == [b"first", b"second"]
        assert b"silva" not in request.content


def test_zip_file_is_sent_as_it_is(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "films.zip"
    path.write_bytes(b"zip" * 200_000)
    service = Service(queued)

    use(kind, service, "jobs", "submit_zip", path, name="mine", heatmap="cam")

    (request,) = service.requests
    assert request.content == path.read_bytes()
    assert dict(request.url.params) == {"id": "mine", "heatmap": "cam"}


def test_wait_tells_the_progress_until_the_job_has_ended(kind: str) -> None:
    replies = [
        lambda: queued(done=1),
        lambda: queued(done=2, state="finished"),
    ]
    told: list[int] = []

    status = use(
        kind,
        Service(*replies),
        "jobs",
        "wait",
        "one",
        timeout=20,
        progress=lambda status: told.append(status.done),
    )

    assert (status.state, told) == ("finished", [1, 2])


def test_wait_has_a_deadline(kind: str) -> None:
    with pytest.raises(DeadlineExceeded):
        use(kind, Service(queued), "jobs", "wait", "one", timeout=0.3)


def test_items_have_an_analysis_a_problem_or_nothing_yet(kind: str) -> None:
    items = [
        {"position": 0, "state": "done", "digest": "", "result": ANSWERS["analyse_image"]},
        *(
            {**each, "position": each["position"] + 1}
            for each in ANSWERS["get_job_results"]["items"]
        ),
    ]
    service = Service(lambda: httpx.Response(200, json={"items": items, "next": None}))

    found: list[JobItem] = use(kind, service, "jobs", "results", "one")

    kinds = [type(each.result).__name__ for each in found]
    assert kinds == ["Analysis", "Problem", "NoneType"]
    assert [each.position for each in found] == [0, 1, 2]


@pytest.mark.parametrize(
    ("part", "method"), [("kept", "list"), ("jobs", "list"), ("kept", "delete_all")]
)
def test_answer_of_another_program_is_not_believed(kind: str, part: str, method: str) -> None:
    with pytest.raises(UnexpectedAnswer):
        use(kind, Service(lambda: httpx.Response(200, json={"ok": True})), part, method)
