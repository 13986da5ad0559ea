"""The page as a portal's folder changes it, and its documents."""

import json
import re
from collections.abc import Callable

import httpx
import lxml.html
import pytest

from bentos.portal.folder import PAGES
from bentos.settings import WEB
from tests import portal
from tests.service.page_files import files_address

PUBLIC = "https://saude.example/raiox"
THEMED = {"portal_folder": str(portal.EXAMPLE)}
CODES = {"en": "en", "pt": "pt-BR", "es": "es"}
TEXTS = {
    code: json.loads((WEB / "locales" / f"{name}.json").read_text()) for name, code in CODES.items()
}
Run = Callable[..., None]


def meta(document: lxml.html.HtmlElement) -> dict[str, str]:
    found = document.xpath("//meta[@property or @name]")
    return {each.get("property") or each.get("name"): each.get("content") for each in found}


def test_page_has_the_name_the_pictures_and_the_contacts_of_the_portal(run: Run) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        document = lxml.html.fromstring((await client.get("/?lang=pt")).text)

        assert document.findtext(".//title").startswith(portal.NAME)
        (brand,) = document.xpath("//a[@class='brand']")
        assert brand.text_content().strip() == portal.NAME
        for path in ("//a[@class='brand']/img/@src", "//link[@rel='icon']/@href"):
            (address,) = document.xpath(path)
            answer = await client.get(f"/{address}")
            assert answer.headers["content-type"] == "image/svg+xml"
            name = address.rpartition("/")[2]
            assert answer.content == (portal.EXAMPLE / name).read_bytes()
        (footer,) = document.xpath("//footer")
        text = footer.text_content()
        assert "Encarregado pela proteção de dados: Ana Exemplo, encarregada@saude" in text
        assert "Controlador: Ministério da Saúde do Exemplo" in text
        links = footer.xpath(".//a/@href")
        assert links[:3] == [f"{page}?lang=pt-BR" for page in PAGES]
        assert {"tel:+556133150000", "mailto:encarregada@saude.example"} <= set(links)

    run(test, **THEMED)


def test_texts_of_the_portal_are_those_of_every_way_to_them(run: Run) -> None:
    """Of the document, its data, and the file that is loaded when the language is changed."""

    async def test(client: httpx.AsyncClient) -> None:
        document = lxml.html.fromstring((await client.get("/?lang=es")).text)
        (block,) = document.xpath("//script[@id='service']")
        file = (await client.get(f"{await files_address(client)}locales/es.json")).json()

        assert document.xpath("string(//a[@data-text='nav.try'])") == "Probar"
        assert json.loads(block.text)["texts"] == file
        assert file["nav.try"] == "Probar"

    run(test, **THEMED)


def test_language_of_the_portal_is_for_those_who_speak_none(run: Run) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        for path in ("/", "/privacy", "/nothing"):
            told = {"accept-language": "fr", "accept": "text/html"}
            answer = await client.get(path, headers=told)
            assert answer.headers["content-language"] == "pt-BR"

    run(test, **THEMED)


def test_colours_of_the_portal_follow_the_shipped_ones(run: Run) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        sheet = (await client.get(f"{await files_address(client)}styles/tokens.css")).text

        assert sheet.startswith((WEB / "styles/tokens.css").read_text())
        ours = sheet.rpartition("The portal's colours")[2]
        assert "--accent: var(--light, #1351b4) var(--dark, #9dc3ff);" in ours

    run(test, **THEMED)


@pytest.mark.parametrize("settings", [{}, THEMED])
def test_pictures_that_may_hold_a_script_are_under_a_policy_that_runs_none(
    run: Run, settings: dict[str, str]
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        page = (await client.get("/")).text
        pictures = {f"/{each}" for each in re.findall(r'"(web/[^"]+\.svg)"', page)}
        pictures.add(f"{await files_address(client)}icon.svg")

        for each in pictures:
            answer = await client.get(each)
            assert answer.headers["content-security-policy"] == (
                "default-src 'none'; style-src 'unsafe-inline'; sandbox"
            )
            assert answer.headers["x-content-type-options"] == "nosniff"

    run(test, **settings)


@pytest.mark.parametrize("code", TEXTS)
@pytest.mark.parametrize("page", PAGES)
def test_statement_is_a_whole_document_in_the_visitors_language(
    run: Run, page: str, code: str
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.get(f"/{page}", headers={"accept-language": code})
        asked = await client.get(f"/{page}?lang={code}", headers={"accept-language": "fr"})

        assert answer.text == asked.text
        assert answer.headers["content-type"].startswith("text/html")
        assert answer.headers["content-language"] == code
        assert "Accept-Language" in answer.headers["vary"]
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        document = lxml.html.fromstring(answer.text)
        assert document.get("lang") == code
        texts = TEXTS[code]
        assert texts["disclaimer.short"] in document.xpath("string(//aside)")
        assert document.findtext(".//title") == f"{document.findtext('.//h1')} · chestxray"
        assert meta(document)["description"] == texts[f"legal.description.{page}"]
        alternates = document.xpath("//link[@rel='alternate']/@hreflang")
        assert set(alternates) == {*TEXTS, "x-default"}
        assert document.xpath("//nav[@class='preferences']/a[@aria-current]/@lang") == [code]
        scripts = document.xpath("//script/@src")
        assert len(scripts) == 1 and not document.xpath("//script[not(@src)]")
        loaded = [*scripts, *document.xpath("//link[@rel='stylesheet' or @rel='icon']/@href")]
        for each in loaded:
            assert (await client.get(f"/{each}")).status_code == 200

    run(test)


def test_own_statement_in_another_language_is_marked_as_such(run: Run, tmp_path: object) -> None:
    place = portal.write(tmp_path, privacy__pt__md="# Nossa privacidade\n\n<script>x</script>")  # type: ignore[arg-type]

    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.get("/privacy?lang=es")
        document = lxml.html.fromstring(answer.text)
        (article,) = document.xpath("//article")

        assert (document.get("lang"), article.get("lang")) == ("es", "pt-BR")
        assert article.findtext("h1") == "Nossa privacidade"
        assert "solo en Português" in document.xpath("string(//main)")
        assert "&lt;script&gt;x" in answer.text

    run(test, portal_folder=str(place))


@pytest.mark.parametrize("path", ["", "privacy"])
@pytest.mark.parametrize("code", TEXTS)
def test_other_sites_learn_title_text_and_picture_in_the_language(
    run: Run, path: str, code: str
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        document = lxml.html.fromstring((await client.get(f"/{path}?lang={code}")).text)
        found = meta(document)

        assert found["og:title"] == document.findtext(".//title")
        assert found["og:description"] == found["description"]
        assert found["og:site_name"] == portal.NAME
        assert found.get("og:locale") == ("pt_BR" if code == "pt-BR" else None)
        here = f"{PUBLIC}/{path}?lang={code}"
        assert document.xpath("//link[@rel='canonical']/@href") == [found["og:url"]] == [here]
        links = document.xpath("//link[@rel='alternate']")
        addresses = {each.get("hreflang"): each.get("href") for each in links}
        assert addresses == {each: f"{PUBLIC}/{path}?lang={each}" for each in TEXTS} | {
            "x-default": f"{PUBLIC}/{path}"
        }
        picture = await client.get(found["og:image"].removeprefix(PUBLIC))
        assert picture.content == (portal.EXAMPLE / "card.png").read_bytes()

    run(test, public_url=PUBLIC, **THEMED)


def test_shipped_page_has_a_picture_and_an_icon_for_others(run: Run) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        found = meta(lxml.html.fromstring((await client.get("/")).text))
        card = await client.get(found["og:image"].removeprefix(PUBLIC))
        icon = await client.get("/favicon.ico")

        assert card.headers["content-type"] == "image/png"
        assert icon.headers["content-type"] == "image/x-icon"
        assert icon.content.startswith(b"\0\0\1\0")

    run(test, public_url=PUBLIC)


def test_icon_of_the_portal_stands_at_the_place_where_browsers_look(run: Run) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        icon = await client.get("/favicon.ico")

        assert icon.headers["content-type"] == "image/svg+xml"
        assert "sandbox" in icon.headers["content-security-policy"]

    run(test, **THEMED)


@pytest.mark.parametrize(
    "path",
    ["/", "/embed", "/docs", "/redoc", "/docs/problems", "/openapi.json", "/favicon.ico"]
    + [f"/{page}" for page in PAGES],
)
def test_head_is_answered_like_get(run: Run, path: str) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        whole, head = await client.get(path), await client.head(path)

        assert head.status_code == whole.status_code == 200
        varying = {"x-request-id", "date", "traceparent"}
        assert {k: v for k, v in head.headers.items() if k not in varying} == {
            k: v for k, v in whole.headers.items() if k not in varying
        }

    run(test)


@pytest.mark.parametrize("path", ["/embed", "/?embed", "/?embed=1&lang=en"])
def test_frame_has_the_bench_and_names_who_may_hear_of_results(
    run: Run, tmp_path: object, path: str
) -> None:
    allowed = "https://portal.example https://*.other.example"

    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.get(path)
        document = lxml.html.fromstring(answer.text)
        service = json.loads(document.xpath("string(//script[@id='service'])"))

        assert document.get("data-embed") is not None
        assert service["embed"] == ["https://portal.example"]
        # A cookie would not be sent from a page of another site.
        limits = service["limits"]
        assert (limits["keeps"], limits["max_job_images"]) == (False, None)
        assert f"frame-ancestors {allowed}" in answer.headers["content-security-policy"]
        (warning,) = document.xpath("//aside[@class='warning']/a")
        assert warning.get("target") == "_blank"
        assert warning.get("href") == "./?lang=en#limits"
        targets = document.xpath("//footer//nav/a/@target")
        assert targets == ["_blank"] * len(PAGES)

        plain = lxml.html.fromstring((await client.get("/")).text)
        assert plain.get("data-embed") is None
        whole = json.loads(plain.xpath("string(//script[@id='service'])"))
        assert (whole["embed"], whole["limits"]["keeps"]) == (None, True)

    run(test, frame_ancestors=allowed, data_folder=str(tmp_path))
