"""The web page's files: compressed, and kept for good under an address of their version."""

import json
import re
from collections.abc import Callable

import httpx
import pytest

from bentos.settings import WEB
from tests.service.fakes import check_problem
from tests.service.page_files import files_address


@pytest.mark.parametrize("path", [str(p.relative_to(WEB)) for p in sorted(WEB.rglob("*.js"))])
def test_every_script_is_served_as_javascript_for_good(run: Callable[..., None], path: str) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.get(f"{await files_address(client)}{path}")

        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/javascript")
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.text == (WEB / path).read_text()

    run(test)


@pytest.mark.parametrize("folder", ["", "0123456789ab/"])
def test_file_is_revalidated_under_an_address_that_does_not_change_with_it(
    run: Callable[..., None], folder: str
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.get(f"/web/{folder}main.js")
        assert answer.headers["cache-control"] == "no-cache"

        known = {"if-none-match": answer.headers["etag"]}
        again = await client.get(f"/web/{folder}main.js", headers=known)
        assert (again.status_code, again.content) == (304, b"")

    run(test)


@pytest.mark.parametrize("path", ["/", "/service-worker.js", "/web/styles/page.css"])
def test_file_is_compressed_for_those_who_can_read_that(
    run: Callable[..., None], path: str
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        small = await client.get(path, headers={"accept-encoding": "gzip"})
        large = await client.get(path, headers={"accept-encoding": "gzip;q=0"})

        assert small.text == large.text
        assert int(small.headers["content-length"]) < int(large.headers["content-length"]) / 2
        assert small.headers["etag"] != large.headers["etag"]
        for each in (small, large):
            assert "Accept-Encoding" in each.headers["vary"]

    run(test)


@pytest.mark.parametrize(
    "path", ["/web/none.js", "/web/../service.py", "/web/%2e%2e/service.py", "/examples/README.md"]
)
def test_file_outside_the_page_is_not_served(run: Callable[..., None], path: str) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        check_problem(await client.get(path), 404, "not-found")

    run(test)


def test_service_worker_stores_every_file_of_the_page(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.get("/service-worker.js")
        assert answer.headers["cache-control"] == "no-cache"
        found = re.search(r"^const FILES = (.*);$", answer.text, re.M)
        assert found
        names = json.loads(found[1])
        for name in names:
            assert "immutable" in (await client.get(f"/{name}")).headers["cache-control"]
        base = (await files_address(client))[1:]
        assert f"{base}locales/es.json" in names
        assert not {f"{base}card.png", f"{base}favicon.ico"} & set(names)  # for other sites

    run(test)
