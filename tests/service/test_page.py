"""The web page's files, its security policy, and the routes that it uses."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.robotparser import RobotFileParser

import httpx
import lxml.html
import numpy as np
import pytest

from bentos.settings import SHIPPED_EXAMPLES, WEB, Settings
from chestxray.results import Analysis, Examples, Limits
from tests.phantoms import encode
from tests.service.fakes import DARK, check_problem, form


def test_page_has_a_strict_content_security_policy(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.get("/")

        assert answer.headers["content-type"].startswith("text/html")
        policy = dict(
            part.strip().split(" ", 1)
            for part in answer.headers["content-security-policy"].split(";")
        )
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert policy["frame-ancestors"] == "'self'"
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["referrer-policy"] == "no-referrer"

    run(test)


def test_frame_ancestors_setting_allows_a_portal_to_embed_the_page(
    run: Callable[..., None],
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.get("/")

        assert "frame-ancestors https://portal.example" in answer.headers["content-security-policy"]

    run(test, frame_ancestors="https://portal.example")


def test_frame_ancestors_cannot_change_the_rest_of_the_policy() -> None:
    with pytest.raises(ValueError, match="frame_ancestors"):
        Settings(frame_ancestors="'self'; script-src *")


async def files_address(client: httpx.AsyncClient) -> str:
    """The folder of the page's files, as its document names it."""
    found = re.search(r'src="(web/\w{12}/)main.js"', (await client.get("/")).text)
    assert found
    return f"/{found[1]}"


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


LOCALES = {
    texts["language.code"]: texts
    for texts in (json.loads(path.read_text()) for path in (WEB / "locales").glob("*.json"))
}


@pytest.mark.parametrize(
    ("asked", "accepted", "shown"),
    [
        ("", "", "en"),
        ("", "pt-PT,en;q=0.5", "pt-BR"),
        ("", "fr", "en"),
        ("?lang=es", "pt-BR", "es"),
        ("?lang=es-AR", "", "es"),
        ("?lang=pt", "en", "pt-BR"),
        ("?lang=xx", "es", "es"),
        ("?lang=%22%3E", "", "en"),
    ],
)
def test_document_has_the_texts_of_the_visitors_language(
    run: Callable[..., None], asked: str, accepted: str, shown: str
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.get(f"/{asked}", headers={"accept-language": accepted})

        assert answer.headers["content-language"] == shown
        assert "Accept-Language" in answer.headers["vary"]
        document = lxml.html.fromstring(answer.text)
        assert document.get("lang") == shown
        texts = LOCALES[shown]
        for place in document.xpath("//*[@data-text]"):
            assert place.text_content() == texts[place.get("data-text")]
        for place in document.xpath("//*[@data-label]"):
            assert place.get("aria-label") == texts[place.get("data-label")]
        (description,) = document.xpath("//meta[@name='description']/@content")
        assert description == texts["page.description"]
        links = document.xpath("//link[@rel='alternate']")
        assert {link.get("hreflang") for link in links} == {*LOCALES, "x-default"}

    run(test)


def test_document_names_every_script_that_the_page_starts_with(run: Callable[..., None]) -> None:
    """So that none of them waits for another."""

    async def test(client: httpx.AsyncClient) -> None:
        base = await files_address(client)
        document = lxml.html.fromstring((await client.get("/")).text)
        named = {f"/{each}" for each in document.xpath("//link[@rel='modulepreload']/@href")}
        assert f"{base}main.js" in named
        for each in named:
            imported = re.findall(r'^import .*from "\./(.*)";', (await client.get(each)).text, re.M)
            assert named >= {f"{base}{name}" for name in imported}
        assert f"{base}projector.js" not in named

    run(test)


def test_document_has_what_its_scripts_need(run: Callable[..., None], tmp_path: Path) -> None:
    name = "<script>'&\"<!--.png"
    (tmp_path / name).write_bytes(encode(np.eye(9, dtype=np.uint8), "PNG"))

    async def test(client: httpx.AsyncClient) -> None:
        document = lxml.html.fromstring((await client.get("/?lang=es")).text)
        (block,) = document.xpath("//script[@id='service']")
        service = json.loads(block.text)

        assert block.get("type") == "application/json"
        assert (service["language"], service["texts"]) == ("es", LOCALES["es"])
        assert {each["code"]: each["name"] for each in service["languages"]} == {
            code: texts["language.name"] for code, texts in LOCALES.items()
        }
        assert service["limits"] == (await client.get("/v1/limits")).json()
        assert service["models"] == (await client.get("/v1/models")).json()["models"]
        assert service["examples"] == (await client.get("/v1/examples")).json()["examples"]
        assert service["examples"][0]["name"] == Path(name).stem

    run(test, examples=tmp_path)


def test_service_worker_stores_every_file_of_the_page(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.get("/service-worker.js")
        assert answer.headers["cache-control"] == "no-cache"
        found = re.search(r"^const FILES = (.*);$", answer.text, re.M)
        assert found
        names = json.loads(found[1])
        for name in names:
            assert "immutable" in (await client.get(f"/{name}")).headers["cache-control"]
        assert f"{(await files_address(client))[1:]}locales/es.json" in names

    run(test)


_BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize("prefix", ["", "/portal/xray"])
def test_browser_gets_a_page_where_there_is_nothing(run: Callable[..., None], prefix: str) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        headers = {"accept": _BROWSER, "accept-language": "pt"}
        answer = await client.get("/a/b", headers=headers)

        assert answer.status_code == 404
        document = lxml.html.fromstring(answer.text)
        assert document.get("lang") == "pt-BR"
        assert document.findtext(".//h1") == LOCALES["pt-BR"]["notFound.title"]
        assert document.xpath("//main//a/@href") == [f"{prefix}/"]
        (icon,) = document.xpath("//link[@rel='icon']/@href")
        assert (await client.get(icon.removeprefix(prefix))).status_code == 200
        assert "default-src 'none'" in answer.headers["content-security-policy"]

    run(test, root_path=prefix)


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html;q=0.5,*/*"])
def test_program_gets_a_problem_where_there_is_nothing(
    run: Callable[..., None], accept: str
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        check_problem(await client.get("/a/b", headers={"accept": accept}), 404, "not-found")

    run(test)


def test_crawlers_are_kept_from_the_api(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        rules = RobotFileParser()
        rules.parse((await client.get("/robots.txt")).text.splitlines())
        assert rules.can_fetch("*", "/web/main.js")
        assert not rules.can_fetch("*", "/v1/analyses")

    run(test)


def test_limits_route_returns_the_settings(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        limits = Limits.model_validate_json((await client.get("/v1/limits")).text)

        assert (limits.max_image_pixels, limits.max_webp_pixels) == (1000, 750)
        assert limits.max_image_bytes == 2000
        assert "image/jpeg" in limits.media_types
        assert (limits.keeps, limits.retention_hours) == (False, None)
        assert (limits.max_job_images, limits.max_job_bytes) == (None, None)

    run(test, max_image_pixels=1000, max_image_bytes=2000)


def test_limits_route_says_how_long_analyses_are_kept_and_how_large_a_job_may_be(
    run: Callable[..., None], tmp_path: Path
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        limits = Limits.model_validate_json((await client.get("/v1/limits")).text)

        assert (limits.keeps, limits.retention_hours) == (True, 72)
        assert (limits.max_job_images, limits.max_job_bytes) == (70, 7000)

    settings = {"retention_hours": 72, "max_job_images": 70, "max_job_bytes": 7000}
    run(test, data_folder=str(tmp_path), **settings)


def test_shipped_examples_are_synthetic_and_served(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        listed = Examples.model_validate_json((await client.get("/v1/examples")).text).examples

        assert {example.name for example in listed} >= {"clear", "opacity", "turned"}
        assert all(example.synthetic for example in listed)
        for example in listed:
            for url in (example.url, example.thumbnail):
                answer = await client.get(f"/{url}")
                assert answer.headers["content-type"] == "image/jpeg"
                assert "immutable" in answer.headers["cache-control"]
                other = await client.get(f"/{url.partition('?')[0]}")
                assert other.headers["cache-control"] == "no-cache"
            assert len(answer.content) < 12_000

    run(test)


def test_operator_can_offer_examples_from_their_own_folder(
    run: Callable[..., None], tmp_path: Path
) -> None:
    (tmp_path / "ours.png").write_bytes(encode(np.eye(9, dtype=np.uint8), "PNG"))
    (tmp_path / "notes.txt").write_text("not for the page")

    async def test(client: httpx.AsyncClient) -> None:
        (example,) = Examples.model_validate_json((await client.get("/v1/examples")).text).examples

        assert (example.name, example.synthetic) == ("ours", False)
        assert (await client.get(f"/{example.url}")).status_code == 200
        assert (await client.get(f"/{example.thumbnail}")).content.startswith(b"\xff\xd8")
        for folder in ("examples", "thumbnails"):
            check_problem(await client.get(f"/{folder}/notes.txt"), 404, "not-found")

    run(test, examples=tmp_path)


def test_missing_examples_folder_is_named_in_the_error() -> None:
    with pytest.raises(ValueError, match="examples"):
        Settings(examples=SHIPPED_EXAMPLES / "none")


def test_heatmap_all_returns_the_heatmaps_of_every_class(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/analyses?heatmap=all", **form(DARK))
        analysis = Analysis.model_validate_json(answer.text)

        assert analysis.heatmaps is not None
        assert analysis.heatmap == analysis.heatmaps[analysis.prediction.label]
        assert {label: each.label for label, each in analysis.heatmaps.items()} == {
            label: label for label in analysis.prediction.probabilities
        }

    run(test)
