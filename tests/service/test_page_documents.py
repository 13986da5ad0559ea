"""The web page's documents in each language, with what their scripts need."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import httpx
import lxml.html
import numpy as np
import pytest

from bentos.settings import WEB
from tests.phantoms import encode
from tests.service.fakes import check_problem
from tests.service.page_files import files_address

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
