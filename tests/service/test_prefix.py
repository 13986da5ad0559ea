"""All links work behind a reverse proxy that strips a path prefix."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from bentos.http.codes import CODES
from bentos.settings import SHIPPED_EXAMPLES, WEB, Settings
from chestxray.results import DISCLAIMER
from tests.service.fakes import check_problem
from tests.service.nginx import run_nginx_with_prefix
from tests.service.server import Server, serve

TRUSTED = '["127.0.0.0/8"]'


@pytest.fixture(scope="module")
def trusting_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that trusts the proxy in front of it."""
    with serve(tmp_path_factory.mktemp("trusting"), CHESTXRAY_TRUSTED_PROXIES=TRUSTED) as running:
        yield running


@pytest.fixture(scope="module")
def nginx_client(
    trusting_server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A client of the service through a running nginx."""
    folder = tmp_path_factory.mktemp("nginx")
    with (
        run_nginx_with_prefix(trusting_server.url, folder) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        yield client


def links(page: httpx.Response) -> list[str]:
    """The resources that a page loads, resolved like a browser does."""
    found = re.findall(r'(?:src|href)="([^"#?][^"]*)"', page.text)
    return [urljoin(str(page.url), link) for link in found if not link.startswith("http")]


def imports(script: Path) -> list[str]:
    return re.findall(r'from "(\./[^"]+)"', script.read_text())


@pytest.mark.parametrize("path", ["/xray/", "/xray/docs", "/xray/redoc", "/xray/docs/problems"])
def test_page_and_its_resources_load_behind_a_prefix(nginx_client: httpx.Client, path: str) -> None:
    page = nginx_client.get(path)

    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert len(links(page)) >= 2
    for link in links(page):
        assert httpx.URL(link).path.startswith("/xray/"), link
        assert nginx_client.get(link).status_code == 200, link


def test_script_modules_load_behind_a_prefix(nginx_client: httpx.Client) -> None:
    for script in WEB.glob("*.js"):
        for link in imports(script):
            assert nginx_client.get(urljoin(f"/xray/web/{script.name}", link)).status_code == 200


@pytest.mark.parametrize("path", ["/xray/docs", "/xray/redoc"])
def test_api_docs_find_the_openapi_document_behind_a_prefix(
    nginx_client: httpx.Client, path: str
) -> None:
    page = nginx_client.get(path)
    (named,) = re.findall(r"""(?:url: '|spec-url=")([^'"]+)""", page.text)
    document = nginx_client.get(urljoin(str(page.url), named)).json()

    assert document["servers"] == [{"url": "/xray"}]
    image = (SHIPPED_EXAMPLES / "clear.jpg").read_bytes()
    answer = nginx_client.post(f"{document['servers'][0]['url']}/v1/analyses", content=image)
    assert answer.status_code == 200


def test_problem_type_links_to_its_explanation(nginx_client: httpx.Client) -> None:
    answer = nginx_client.post("/xray/v1/analyses", content=b"no image at all")
    problem = check_problem(answer, 415, "unsupported-format")

    page = nginx_client.get(problem.type)
    assert page.status_code == 200
    assert f'id="{problem.type.partition("#")[2]}"' in page.text


@pytest.mark.parametrize(
    ("settings", "headers", "prefix"),
    [
        ({}, {}, ""),
        ({"root_path": "/xray"}, {}, "/xray"),
        ({}, {"x-forwarded-prefix": "/evil"}, ""),
        ({"trusted_proxies": ("127.0.0.0/8",)}, {"x-forwarded-prefix": "/a/b/"}, "/a/b"),
        ({"trusted_proxies": ("127.0.0.0/8",)}, {"x-forwarded-prefix": "//evil.example"}, ""),
        ({"trusted_proxies": ("127.0.0.0/8",)}, {"x-forwarded-prefix": '/"><script>'}, ""),
        (
            {"trusted_proxies": ("127.0.0.0/8",), "root_path": "/xray"},
            {"x-forwarded-prefix": "/other"},
            "/other",
        ),
    ],
)
def test_prefix_is_taken_only_from_settings_and_trusted_proxies(
    run: Callable[..., None], settings: dict[str, object], headers: dict[str, str], prefix: str
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.get("/nothing", headers=headers)
        document = (await client.get("/openapi.json", headers=headers)).json()

        assert answer.json()["type"] == f"{prefix}/docs/problems#not-found"
        assert document["servers"] == [{"url": prefix or "/"}]

    run(test, **settings)


@pytest.mark.parametrize("root_path", ["xray", "/xray/", "https://x.example", "/a b"])
def test_malformed_root_path_is_rejected(root_path: str) -> None:
    with pytest.raises(ValueError, match="root_path"):
        Settings(root_path=root_path)


def test_problems_page_explains_every_code(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        page = await client.get("/docs/problems")

        for name, code in CODES.items():
            assert f'<section id="{name}">' in page.text
            assert str(code.status.value) in page.text
        assert DISCLAIMER in page.text
        assert "script-src 'self';" in page.headers["content-security-policy"]

    run(test)


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_api_docs_have_a_content_security_policy(run: Callable[..., None], path: str) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        page = await client.get(path)

        scripts = re.search(r"script-src ([^;]+)", page.headers["content-security-policy"])
        assert scripts and "unsafe" not in scripts[1]
        assert scripts[1].count("sha256-") == len(re.findall("<script>", page.text))
        assert "http" not in page.text.replace("http-equiv", "")

    run(test)
