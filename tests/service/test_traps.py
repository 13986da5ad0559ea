"""BentoML's traps that show only in a running server (numbers as in docs/bentoml.md)."""

import http.server
import platform
import threading
import time
import zlib
from collections.abc import Iterator

import httpx
import pytest

from chestxray.errors import RejectedImage
from tests.phantoms import encode, phantom
from tests.service.server import Server

CHEST = {"image": ("chest.png", encode(phantom(500, 600), "PNG"), "image/png")}
MEGABYTE = 2**20


def png_of(width: int, height: int) -> bytes:
    """A small PNG file of one colour with the given dimensions."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data).to_bytes(4, "big")
        return len(data).to_bytes(4, "big") + kind + data + checksum

    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    row = b"\0" * (width // 8 + 2)
    squeezer = zlib.compressobj()
    pixels = b"".join(squeezer.compress(row) for _ in range(height)) + squeezer.flush()
    head = chunk(b"IHDR", size + b"\1\0\0\0\0")
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def test_readiness_fails_quickly_with_a_hung_model(server: Server, client: httpx.Client) -> None:
    """Trap 10."""
    model = server.worker("CovidClassifier")
    model.suspend()
    try:
        started = time.monotonic()
        answer = client.get("/readyz")
        seconds = time.monotonic() - started
    finally:
        model.resume()

    assert answer.status_code == 503
    assert seconds < 1.5
    assert client.get("/readyz").status_code == 200


def test_oversized_body_is_discarded_while_it_streams(server: Server, client: httpx.Client) -> None:
    """Trap 12: BentoML reads all of a body into memory."""
    before, peak = server.memory(), 0

    def chunks() -> Iterator[bytes]:
        nonlocal peak
        for i in range(200):
            if i % 20 == 0:
                peak = max(peak, server.memory())
            yield b"x" * MEGABYTE

    answer = client.post("/v1/analyses", content=chunks())

    assert answer.status_code == 413
    assert answer.json()["code"] == "body-too-large"
    assert peak - before < 100 * MEGABYTE


@pytest.mark.parametrize("size", [(12_000, 12_000), (30_000, 30_000)])
def test_image_with_too_many_pixels_is_rejected_from_its_header(
    server: Server, client: httpx.Client, size: tuple[int, int]
) -> None:
    """Trap 12, for images that are large once decoded."""
    before = server.memory()

    answer = client.post("/v1/analyses", files={"image": ("x.png", png_of(*size), "image/png")})

    assert answer.status_code == 413
    assert answer.json()["code"] == "image-too-large"
    assert f"{size[0]}x{size[1]}" in answer.json()["detail"]
    assert server.memory() - before < 100 * MEGABYTE


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """A web server that records the paths it is asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    httpd = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}/x.png", asked
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def test_url_instead_of_a_file_is_never_fetched(
    client: httpx.Client, listener: tuple[str, list[str]]
) -> None:
    """Trap 13: BentoML fetches a URL that is sent instead of a file."""
    url, asked = listener

    part = f'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\n{url}\r\n--x--\r\n'
    headers = {"content-type": "multipart/form-data; boundary=x"}
    form = client.post("/v1/analyses", content=part.encode(), headers=headers)
    text = client.post("/v1/analyses", json={"image": url})
    raw = client.post("/v1/analyses", content=url.encode())

    assert (form.status_code, form.json()["code"]) == (400, "not-a-file")
    assert (text.status_code, text.json()["code"]) == (415, "unsupported-media-type")
    assert (raw.status_code, raw.json()["code"]) == (400, "not-a-file")
    assert asked == []


def test_no_metric_is_labelled_with_a_raw_path(server: Server, client: httpx.Client) -> None:
    """Trap 18: BentoML labels metrics with the requested path, and keeps each for ever."""
    client.post("/v1/analyses", files=CHEST)
    client.get("/some/secret/path?name=patient")

    names = list(server.metrics())

    assert not [name for name in names if "secret" in name or "patient" in name]
    assert server.total("chestxray_requests_total", route="unmatched") >= 1
    assert server.total("chestxray_requests_total", route="/v1/analyses") >= 1


def test_metrics_route_includes_every_process(open_server: Server) -> None:
    """Trap 19: prometheus_client must be imported after the workers' folder is set."""
    models = ("xray_filter", "covid_classifier")
    before = [open_server.total("chestxray_batch_size_count", model=model) for model in models]
    answer = httpx.post(f"{open_server.url}/v1/analyses", files=CHEST, timeout=60)
    label = answer.json()["prediction"]["label"]

    for model, count in zip(models, before, strict=True):
        assert open_server.total("chestxray_batch_size_count", model=model) == count + 1
        assert open_server.total("chestxray_model_info", model=model) == 1
        assert open_server.total("process_resident_memory_bytes", process=model) > 2**20
        assert open_server.total("chestxray_model_load_seconds", model=model) > 0
    for stage in ("queue", "decode", "filter", "classify"):
        assert open_server.total("chestxray_stage_duration_seconds_count", stage=stage) >= 1
    assert open_server.total("chestxray_predictions_total", label=label) >= 1
    assert open_server.total("chestxray_filter_verdicts_total", verdict="frontal_chest") >= 1
    assert open_server.total("chestxray_requests_total", outcome="accepted") >= 1
    assert open_server.total("chestxray_in_flight", stage="admitted") == 0
    assert open_server.total("chestxray_build_info", python=platform.python_version()) == 1


def test_metric_series_of_every_process_exist_before_the_first_event(server: Server) -> None:
    names = server.metrics().keys()

    assert 'chestxray_pod_failures_total{reason="implausible"}' in names
    assert 'chestxray_process_restarts_total{process="gateway",reason="hung"}' in names
    assert 'chestxray_requests_total{outcome="deadline",route="/v1/analyses/batch"}' in names
    for model in ("xray_filter", "covid_classifier"):
        assert f'chestxray_batch_size_count{{model="{model}"}}' in names


def test_public_port_rejects_pickle(client: httpx.Client) -> None:
    headers = {"content-type": "application/vnd.bentoml+pickle"}
    answer = client.post("/v1/analyses", content=b"\x80\x04.", headers=headers)

    assert answer.status_code == 415
    assert answer.json()["code"] == "unsupported-format"


def test_log_contains_neither_file_names_nor_image_bytes(
    server: Server, client: httpx.Client
) -> None:
    name = "maria-silva-1970"
    files = {"image": (f"{name}.png", b"not an image " + name.encode(), "image/png")}
    client.post("/v1/analyses", files=files)
    client.post("/v1/analyses", files=CHEST | {name: ("x", b"x")})
    client.get(f"/v1/{name}?q={name}")

    assert name not in server.log.read_text()


def test_every_rejection_has_its_own_code() -> None:
    def below(kind: type[RejectedImage]) -> list[type[RejectedImage]]:
        return [kind, *(k for child in kind.__subclasses__() for k in below(child))]

    kinds = {kind for kind in below(RejectedImage) if kind.__module__ == RejectedImage.__module__}
    assert len({kind.code for kind in kinds}) == len(kinds)
