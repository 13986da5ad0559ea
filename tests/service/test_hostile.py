"""Fifty hostile requests each get their own 4xx and do not affect concurrent good requests."""

import io
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
from PIL import Image

from tests.crafted import BOMBS
from tests.phantoms import encode, phantom
from tests.service.server import Server
from tests.service.test_traps import MEGABYTE, png_of

CHEST = phantom(500, 600)
PNG, JPEG, TIFF = (encode(CHEST, format_) for format_ in ("PNG", "JPEG", "TIFF"))
COSTLY = (
    "strips of a TIFF",
    "tiles of a TIFF",
    "values of a TIFF",
    "chunks of a PNG",
    "profiles of a PNG",
    "EXIF of a JPEG",
    "segments of a JPEG",
    "frames of a JPEG",
)
ALLOWED_GROWTH = 200 * MEGABYTE


@dataclass(frozen=True)
class Attack:
    """A hostile request, and the problem code that it must be answered with."""

    code: str
    request: dict[str, Any] = field(repr=False)
    route: str = "/v1/analyses"


def upload(content: bytes, media_type: str = "application/octet-stream") -> dict[str, Any]:
    return {"files": {"image": ("x", content, media_type)}}


def raw_form(*lines: str) -> dict[str, Any]:
    body = "\r\n".join(lines).encode()
    return {"content": body, "headers": {"content-type": "multipart/form-data; boundary=x"}}


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as pack:
        pack.writestr("index.html", "<script>alert(1)</script>")
    return file.getvalue()


def gif_bomb() -> bytes:
    frames = [Image.new("L", (4000, 4000), i) for i in range(3)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:] * 20)
    return file.getvalue()


def frames(format_: str) -> bytes:
    pages = [Image.fromarray(CHEST), Image.fromarray(255 - CHEST)]
    file = io.BytesIO()
    pages[0].save(file, format_, save_all=True, append_images=pages[1:])
    return file.getvalue()


def endless_scans() -> bytes:
    data = encode(CHEST, "JPEG", progressive=True)
    start, end = data.rindex(b"\xff\xda"), data.rindex(b"\xff\xd9")
    return data[:end] + data[start:end] * 500 + data[end:]


def damaged(data: bytes, place: int) -> bytes:
    return data[:place] + b"\xff" * 40 + data[place + 40 :]


def punycode() -> dict[str, Any]:
    """A form field in a codec that takes minutes to decode."""
    text = "\U0001f600".encode("punycode") + b"a" * 900_000
    head = b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\n'
    headers = {"content-type": "multipart/form-data; boundary=x; charset=punycode"}
    return {"content": head + text + b"\r\n--x--\r\n", "headers": headers}


def endless_body() -> Iterator[bytes]:
    for _ in range(500):
        yield b"x" * MEGABYTE


def truncations() -> list[Attack]:
    cuts = [
        (data, share)
        for data in (PNG, JPEG, TIFF)
        for share in (0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99)
    ]
    return [
        Attack("truncated-image", upload(data[: int(share * len(data))])) for data, share in cuts
    ]


def attacks() -> list[Attack]:
    url = "http://127.0.0.1:9/secret"
    disposition = 'Content-Disposition: form-data; name="image"'
    return [
        *truncations(),
        Attack("empty-image", upload(b"")),
        Attack("empty-image", {"content": b""}),
        Attack("unsupported-format", upload(b"I am a chest X-ray", "text/plain")),
        Attack("unsupported-format", upload(b"\x89PNG")),
        Attack("unsupported-format", upload(archive(), "application/zip")),
        Attack("unsupported-format", upload(b"%PDF-1.7\n" + PNG, "application/pdf")),
        Attack("unsupported-format", upload(b"<svg xmlns='http://www.w3.org/2000/svg'/>")),
        Attack("unsupported-format", upload(gif_bomb(), "image/gif")),
        Attack("not-a-file", {"content": url.encode()}),
        Attack("polyglot-file", upload(PNG + archive())),
        Attack("polyglot-file", upload(JPEG + archive())),
        Attack("polyglot-file", upload(PNG + b"%PDF-1.7")),
        Attack("polyglot-file", upload(encode(CHEST, "JPEG", comment=b"<?php system('id'); ?>"))),
        Attack("image-too-large", upload(png_of(30_000, 30_000))),
        Attack("image-too-large", upload(png_of(1_000_000, 30))),
        Attack("multi-frame-image", upload(frames("TIFF"))),
        Attack("multi-frame-image", upload(frames("PNG"))),
        Attack("unreadable-image", upload(endless_scans())),
        Attack("unreadable-image", upload(damaged(PNG, 50))),
        Attack("body-too-large", {"content": endless_body()}),
        Attack("body-too-large", upload(b"x" * 90 * MEGABYTE)),
        Attack("not-a-file", raw_form("--x", disposition, "", url, "--x--", "")),
        Attack("unexpected-field", {"files": {"picture": ("x", PNG)}}),
        Attack("too-many-images", {"files": [("image", ("a", PNG)), ("image", ("b", PNG))]}),
        Attack(
            "too-many-images", {"files": [("image", ("a", PNG))] * 17}, route="/v1/analyses/batch"
        ),
        Attack("missing-image", raw_form("--x--", "")),
        Attack("malformed-form", raw_form("no boundary at all", "")),
        Attack("unsupported-media-type", {"json": {"image": url}}),
        Attack("unsupported-format", punycode()),
        *(Attack("unreadable-image", upload(BOMBS[name])) for name in COSTLY),
        Attack("image-too-large", upload(BOMBS["canvas of a larger WebP"])),
        Attack("unreadable-image", upload(BOMBS["frames of a TIFF"])),
        Attack("invalid-parameter", upload(PNG) | {"params": {"url": url}}),
    ]


def test_hostile_request_gets_its_own_problem_and_affects_no_other_request(server: Server) -> None:
    hostile = attacks()
    assert len(hostile) >= 50
    with GoodClients(server) as good, MemoryWatch(server) as memory:
        for attack in hostile:
            started = time.monotonic()
            with httpx.Client(base_url=server.url, timeout=120) as client:
                answer = client.post(attack.route, **attack.request)
            assert 400 <= answer.status_code < 500, (attack, answer.text)
            assert answer.headers["content-type"] == "application/problem+json", attack
            assert answer.json()["code"] == attack.code, answer.text
            assert time.monotonic() - started < 10, attack

    assert good.count > 20
    assert good.bad == []
    assert memory.peak - memory.before < ALLOWED_GROWTH


class MemoryWatch:
    """Samples the server's memory while requests run."""

    def __init__(self, server: Server) -> None:
        self._server, self._stop = server, threading.Event()
        self.before = self.peak = server.memory()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            self.peak = max(self.peak, self._server.memory())

    def __enter__(self) -> "MemoryWatch":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()


class GoodClients:
    """Three clients that post a good image repeatedly and record unexpected answers."""

    def __init__(self, server: Server) -> None:
        self.url, self.count, self.bad = server.url, 0, list[str]()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(3)]

    def _run(self) -> None:
        with httpx.Client(base_url=self.url, timeout=60) as client:
            expected = self._ask(client)
            if not expected.startswith(("200", "422")):
                self.bad.append(expected)
            while not self._stop.is_set():
                found = self._ask(client)
                self.count += 1
                if found != expected:
                    self.bad.append(found)

    def _ask(self, client: httpx.Client) -> str:
        try:
            answer = client.post("/v1/analyses", **upload(PNG))
        except httpx.HTTPError as error:
            return repr(error)
        if answer.status_code not in (200, 422):
            return answer.text
        scores = answer.json()["filter"]["scores"].values()
        return f"{answer.status_code} {np.round(list(scores), 3)}"

    def __enter__(self) -> "GoodClients":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
