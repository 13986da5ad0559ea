"""Files that crash decoders, and decoders that are killed, over HTTP: other requests are
unaffected.
"""

import asyncio
import os
import signal
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import httpx
import pytest

from bentos.decoding.decoders import Decoders
from bentos.settings import Settings
from chestxray.confinement import ProcessLimits
from tests import costly, faulty_decoder
from tests.phantoms import encode, phantom
from tests.service.fakes import DARK, FakeModels, app_over, client_of
from tests.service.server import Server, command_of, while_running

GOOD = encode(phantom(900, 1000), "JPEG")
TOO_COSTLY = "image-too-costly"
URL = "/v1/analyses"
BOMBS: dict[str, Callable[[], bytes]] = {
    "tiff of tiles": lambda: costly.tiff_of_tiles(
        12_000, compression=8, tile=zlib.compress(bytes(512 * 4096), 9), length=4096
    ),
    "tiff of jpeg tiles": lambda: costly.tiff_of_tiles(
        12_000, compression=7, tile=costly.jpeg_tile(90)
    ),
    "png": lambda: costly.png(16_000, 16_000, kind=6, depth=16),
}
SHORT_LIMITS = ProcessLimits(seconds=0.5, memory=256 * 2**20)


@cache
def cached_bomb(name: str) -> bytes:
    """A bomb, made once for all tests that use it, since that takes seconds."""
    return BOMBS[name]()


@pytest.fixture
def client_without_cost_checks(
    random_filter: Path, random_classifier: Path
) -> Iterator[httpx.AsyncClient]:
    """A client of the app over decoders without cost checks."""
    settings = Settings(max_image_pixels=2**30)
    decoders = Decoders(
        settings.limits, SHORT_LIMITS, processes=2, work=faulty_decoder.work_without_cost_checks
    )
    decoders.start()
    app = app_over(FakeModels(), [random_filter, random_classifier], settings, decoders)
    yield client_of(app)
    decoders.close()


# The TIFF reader has its own limit on tiles that it decodes itself.
@pytest.mark.parametrize("name", ["tiff of jpeg tiles", "png"])
def test_process_limits_stop_a_bomb_without_the_cost_checks(
    client_without_cost_checks: httpx.AsyncClient, name: str
) -> None:
    bomb = cached_bomb(name)

    async def main() -> tuple[list[httpx.Response], list[httpx.Response]]:
        async with client_without_cost_checks as client:
            bombs = asyncio.gather(*(client.post(URL, content=bomb) for _ in range(4)))
            good = [await client.post(URL, content=DARK) for _ in range(10)]
            return await bombs, good

    started = time.monotonic()
    bombs, good = asyncio.run(main())

    assert [answer.json()["code"] for answer in bombs] == [TOO_COSTLY] * 4
    assert {answer.status_code for answer in good} == {200}
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("name", BOMBS)
def test_bomb_is_rejected_before_it_is_decoded(client: httpx.Client, name: str) -> None:
    bomb = cached_bomb(name)
    client.post(URL, content=GOOD)
    started = time.monotonic()

    answers = [client.post(URL, content=bomb) for _ in range(5)]

    assert time.monotonic() - started < 2
    assert {answer.status_code for answer in answers} <= {413, 422}


def test_other_images_of_a_batch_are_answered_when_one_breaks_its_decoder(
    random_filter: Path, random_classifier: Path
) -> None:
    settings = Settings()
    decoders = Decoders(settings.limits, SHORT_LIMITS, processes=2, work=faulty_decoder.work)
    app = app_over(FakeModels(), [random_filter, random_classifier], settings, decoders)
    contents = [b"good", b"crash", b"good", b"spin", b"hoard", b"good"]
    files = [("image", ("x", content, "application/octet-stream")) for content in contents]

    async def main() -> httpx.Response:
        async with client_of(app) as client:
            return await client.post(f"{URL}/batch", files=files)

    results = asyncio.run(main()).json()["results"]
    decoders.close()

    expected = [None if content == b"good" else TOO_COSTLY for content in contents]
    assert [result.get("code") for result in results] == expected


def decoder_pids(server: Server) -> list[int]:
    """The pids of the decoders that the gateway's fork server has forked."""
    processes = server.processes()
    forkers = {p.pid for p in processes if "multiprocessing.forkserver" in " ".join(command_of(p))}
    return [
        p.pid for p in processes if p.pid in forkers and while_running(p.ppid, ended=0) in forkers
    ]


def post_once(server: Server) -> str:
    """Posts an image; returns the status, or the code of the problem."""
    answer = httpx.post(f"{server.url}{URL}", content=GOOD, timeout=60)
    return str(answer.json().get("code", answer.status_code))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP])
def test_killing_decoders_under_load_fails_only_the_images_in_them(
    open_server: Server, number: signal.Signals
) -> None:
    stop = time.monotonic() + 4
    kills = 0

    def post(_: int) -> list[str]:
        codes = []
        while time.monotonic() < stop:
            codes.append(post_once(open_server))
        return codes

    with ThreadPoolExecutor(4) as pool:
        posting = pool.map(post, range(4))
        while time.monotonic() < stop - 0.5:
            time.sleep(0.3)
            for pid in decoder_pids(open_server)[:1]:
                os.kill(pid, number)
                kills += 1
        outcomes = Counter(code for codes in posting for code in codes)
        after = list(pool.map(lambda _: post_once(open_server), range(4)))

    assert outcomes["200"] > 10
    assert set(outcomes) <= {"200", TOO_COSTLY}
    assert outcomes[TOO_COSTLY] <= kills
    assert after == ["200"] * 4
    assert open_server.total("chestxray_decoder_restarts_total") > 0
