"""A hostile client at 127.0.0.2 in its own process, with ten kinds of attack.

    python -m tests.trials.attackers ATTACK HOST PORT

Prints `ready` when its files are made, and attacks until killed, at the lowest priority: client and
service share a machine, and the client's own CPU time must not count.
"""

import asyncio
import itertools
import os
import random
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import cache

import numpy as np

from tests.phantoms import encode, phantom
from tests.trials.raw import BATCH_SIZE, SINGLE, Connection, batch, get, post

ADDRESS = "127.0.0.2"
_PAUSE_SECONDS = 0.02
"""Pause after each response or broken connection."""
_COSTLY_SIDE = 4000

Attack = Callable[[str, int], Awaitable[None]]


def connect(host: str, port: int) -> Awaitable[Connection]:
    return Connection.open(host, port, address=ADDRESS)


async def send_repeatedly(host: str, port: int, requests: Sequence[bytes]) -> None:
    """Sends requests repeatedly on one connection, reconnecting when it breaks."""
    for sequence in itertools.repeat(requests):
        try:
            connection = await connect(host, port)
        except OSError:
            await asyncio.sleep(_PAUSE_SECONDS)
            continue
        try:
            for request in sequence * 100:
                await connection.send(request)
                await connection.answer()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            connection.close()


def repeated_attack(connections: int, make: Callable[[], Sequence[bytes]]) -> Attack:
    """An attack by several connections that send the same requests."""

    async def attack(host: str, port: int) -> None:
        requests = make()
        print("ready", flush=True)
        await asyncio.gather(*(send_repeatedly(host, port, requests) for _ in range(connections)))

    return attack


@cache
def ordinary_images() -> list[bytes]:
    return [encode(phantom(side, side), "JPEG") for side in (500, 800, 1100)]


@cache
def progressive_jpeg() -> bytes:
    """A CMYK JPEG of several scans: tens of kilobytes that take long to decode."""
    pixels = np.zeros((_COSTLY_SIDE, _COSTLY_SIDE, 3), np.uint8)
    return encode(pixels, "JPEG", mode="CMYK", progressive=True)


@cache
def deep_png() -> bytes:
    """A 16-bit PNG with almost the maximum number of pixels."""
    ramp = np.arange(_COSTLY_SIDE, dtype=np.uint16)
    return encode(np.add.outer(ramp, 16 * ramp), "PNG", compress_level=1)


def images_rejected_by_filter() -> list[bytes]:
    """Valid images that are not frontal chest X-rays."""
    noise = np.random.default_rng(0).integers(0, 255, (700, 700), np.uint8)
    return [encode(noise, "PNG"), encode(np.full((900, 900), 240, np.uint8), "JPEG")]


def damaged_files() -> list[bytes]:
    """Damaged files; some fail late in decoding, others early."""
    late = bytearray(deep_png())
    late[-100] ^= 0xFF
    return [
        progressive_jpeg()[:-20_000],
        bytes(late),
        ordinary_images()[0][:-2000],
        b"\x89PNG\r\n\x1a\n" * 9,
    ]


def costly_batches() -> Sequence[bytes]:
    return [batch(*[progressive_jpeg()] * BATCH_SIZE), batch(deep_png(), progressive_jpeg())]


def cheap_requests() -> Sequence[bytes]:
    paths = ["/v1/limits", "/nowhere", "/metrics", "/openapi.json", "/", "/v1/projection"]
    return [get(path, method=method) for path in paths for method in ("GET", "PUT")]


async def send_slow_bodies(host: str, port: int) -> None:
    """Bodies sent byte by byte after a large first part that is held in memory."""
    print("ready", flush=True)

    async def one() -> None:
        while True:
            try:
                connection = await connect(host, port)
                await connection.send(post(SINGLE, bytes(8_000_000))[:4_000_000])
                while True:
                    await connection.send(b"\0")
                    await asyncio.sleep(0.5)
            except OSError:
                await asyncio.sleep(_PAUSE_SECONDS)

    await asyncio.gather(*(one() for _ in range(100)))


async def hold_connections(host: str, port: int) -> None:
    """Connections that send nothing, or half of the headers, as many as are accepted."""
    print("ready", flush=True)

    async def one(number: int) -> None:
        while True:
            try:
                connection = await connect(host, port)
                await connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n" if number % 2 else b"")
                await connection.answer()
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(random.uniform(0.5, 1.5))

    await asyncio.gather(*(one(number) for number in range(2200)))


async def abandon_large_bodies(host: str, port: int) -> None:
    """Large bodies: rejected late, aborted half way, announced by Expect, or abandoned."""
    large = batch(*[bytes(3_000_000)] * 20)
    expecting = large.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n", 1)
    whole = post(SINGLE, progressive_jpeg())
    cuts = [large[:30_000_000], expecting[: expecting.index(b"\r\n\r\n") + 4], whole, whole[:-1]]
    print("ready", flush=True)

    async def one(number: int) -> None:
        for data in itertools.cycle(cuts[number % 4 :] + cuts[: number % 4]):
            try:
                connection = await connect(host, port)
                await connection.send(data)
                await asyncio.sleep(_PAUSE_SECONDS)
                connection.close()
            except OSError:
                await asyncio.sleep(_PAUSE_SECONDS)

    await asyncio.gather(
        send_repeatedly(host, port, [large]), *(one(number) for number in range(8))
    )


async def send_malformed_requests(host: str, port: int) -> None:
    """Upgrades, pipelined requests, and malformed HTTP."""
    small = ordinary_images()[0]
    upgrade = post(SINGLE, small).replace(b"Host: x\r\n", b"Host: x\r\nUpgrade: h2c\r\n", 1)
    shapes = [
        upgrade,
        cheap_requests()[0] * 50,
        post(SINGLE, small) * 8,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\n\r\n",
        b"POST /v1/analyses HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        bytes(range(256)) * 100,
    ]
    print("ready", flush=True)

    async def one(number: int) -> None:
        for data in itertools.cycle(shapes[number:] + shapes[:number]):
            try:
                connection = await connect(host, port)
                await connection.send(data)
                await connection.answer()
                await asyncio.sleep(_PAUSE_SECONDS)
                connection.close()
            except (OSError, ValueError, asyncio.IncompleteReadError):
                await asyncio.sleep(_PAUSE_SECONDS)

    await asyncio.gather(*(one(number) for number in range(len(shapes))))


ATTACKS: dict[str, Attack] = {
    "batches of ordinary films": repeated_attack(
        4, lambda: [batch(*(ordinary_images() * 6)[:BATCH_SIZE])]
    ),
    "batches of costly files": repeated_attack(2, costly_batches),
    "costly files on many connections": repeated_attack(
        16, lambda: [post(SINGLE, progressive_jpeg()), post(SINGLE, deep_png())]
    ),
    "slow bodies": send_slow_bodies,
    "held connections": hold_connections,
    "cheap requests": repeated_attack(32, cheap_requests),
    "files that fail to decode": repeated_attack(
        16, lambda: [post(SINGLE, f) for f in damaged_files()]
    ),
    "files that the filter refuses": repeated_attack(
        16, lambda: [post(SINGLE, f) for f in images_rejected_by_filter()]
    ),
    "large bodies and clients that leave": abandon_large_bodies,
    "upgrades, pipelines and malformed requests": send_malformed_requests,
}


def main() -> None:
    """Attacks in one way."""
    os.nice(19)
    attack_name, host, port = sys.argv[1:]
    asyncio.run(asyncio.wait_for(ATTACKS[attack_name](host, int(port)), None))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
