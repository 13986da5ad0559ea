"""The web page's security policy, and the routes that it uses."""

from collections.abc import Callable
from pathlib import Path
from urllib.robotparser import RobotFileParser

import httpx
import numpy as np
import pytest

from bentos.settings import SHIPPED_EXAMPLES, Settings
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


def test_crawlers_are_kept_from_the_api(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        rules = RobotFileParser()
        rules.parse((await client.get("/robots.txt")).text.splitlines())
        assert rules.can_fetch("*", "/web/main.js")
        for path in ("/?lang=pt-BR", "/privacy?lang=es", "/terms", "/accessibility"):
            assert rules.can_fetch("*", path)
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
