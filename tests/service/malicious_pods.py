"""Fake classifier pods that answer the probe correctly and real requests maliciously."""

import asyncio
import contextlib
import json
import socket
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from safetensors.numpy import save

from bentos.covid_classifier.service import ROW
from bentos.inference import wire
from tests.service.test_pods import rows_of

MIB, PIECE = 2**20, 2**16

Write = Callable[[asyncio.StreamWriter], Awaitable[None]]


def head(*headers: str, length: int | None = None, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {wire.MEDIA_TYPE}", *headers]
    lines += [] if length is None else [f"Content-Length: {length}"]
    return "\r\n".join([*lines, "", ""]).encode()


def answer(body: bytes, *headers: str) -> bytes:
    return head(*headers, length=len(body)) + body


def answer_with_rows(**fields: Any) -> bytes:
    rows = rows_of(1)
    for name, value in fields.items():
        rows[name] = value
    return answer(wire.pack_rows(rows))


def answer_with_header(change: Callable[[dict[str, Any]], None]) -> bytes:
    """The correct answer with a modified tensor header."""
    body = wire.pack_rows(rows_of(1))
    end = 8 + struct.unpack("<Q", body[:8])[0]
    header = json.loads(body[8:end])
    change(header)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return answer(struct.pack("<Q", len(text)) + text + body[end:])


def answer_with_type(name: str, by: float) -> bytes:
    def change(header: dict[str, Any]) -> None:
        for field_name in ("cam", "probabilities", "projection"):
            header[field_name]["dtype"] = name
            header[field_name]["shape"][-1] = int(header[field_name]["shape"][-1] * by)

    return answer_with_header(change)


def bomb() -> bytes:
    """A gzip bomb: 200 MB of zeros in 200 KB."""
    packer, parts = zlib.compressobj(wbits=31), []
    for _ in range(200):
        parts.append(packer.compress(bytes(MIB)))
    return b"".join([*parts, packer.flush()])


def answer_with_fields(**fields: np.ndarray) -> bytes:
    rows = rows_of(1)
    return answer(save({name: rows[name].copy() for name in ROW.names or ()} | fields))


ANSWERS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "nan": ("implausible", lambda: answer_with_rows(probabilities=np.nan)),
    "nan map": ("implausible", lambda: answer_with_rows(cam=np.nan)),
    "infinite place": ("implausible", lambda: answer_with_rows(projection=np.inf)),
    "huge": ("implausible", lambda: answer_with_rows(cam=1e30)),
    "negative": ("implausible", lambda: answer_with_rows(probabilities=(-0.5, 0.5, 1.0))),
    "above one": ("implausible", lambda: answer_with_rows(probabilities=(1.5, 0, 0))),
    "sum": ("implausible", lambda: answer_with_rows(probabilities=(0.5, 0.5, 0.5))),
    "other answer": ("wrong", lambda: answer_with_rows(probabilities=(0.9, 0.05, 0.05))),
    "other map": ("wrong", lambda: answer_with_rows(cam=9.0)),
    "other place": ("wrong", lambda: answer_with_rows(projection=9.0)),
    "nothing is ok": ("wrong", lambda: answer_with_rows(ok=False)),
    "bf16": ("malformed", lambda: answer_with_type("BF16", 2)),
    "f8": ("malformed", lambda: answer_with_type("F8_E4M3", 4)),
    "f4": ("malformed", lambda: answer_with_type("F4", 8)),
    "f16": ("malformed", lambda: answer_with_type("F16", 2)),
    "complex": ("malformed", lambda: answer_with_type("C64", 0.5)),
    "unknown type": ("malformed", lambda: answer_with_type("X9", 1)),
    "i32": ("malformed", lambda: answer_with_type("I32", 1)),
    "float64": ("malformed", lambda: answer_with_fields(projection=np.zeros((1, 3)))),
    "odd booleans": (
        "malformed",
        lambda: answer_with_header(lambda header: header["ok"].update(dtype="U8")),
    ),
    "more fields": ("malformed", lambda: answer_with_fields(more=np.zeros(1))),
    "more rows": ("malformed", lambda: answer(wire.pack_rows(rows_of(2)))),
    "no rows": ("malformed", lambda: answer(wire.pack_rows(rows_of(0)))),
    "empty": ("malformed", lambda: answer(b"")),
    "garbage": ("malformed", lambda: answer(b"\xff" * 1000)),
    "endless header": ("malformed", lambda: answer(struct.pack("<Q", 2**40) + b"{}")),
    "deep header": ("malformed", lambda: answer(struct.pack("<Q", 4000) + b'{"a":' * 800)),
    "header of 20 MB": (
        "malformed",
        lambda: answer(struct.pack("<Q", 20_000_000) + b'{"a":' * 4_000_000),
    ),
    "gzip": ("malformed", lambda: answer(bomb(), "Content-Encoding: gzip")),
    "deflate": ("malformed", lambda: answer(zlib.compress(b""), "Content-Encoding: deflate")),
    "gzip, unsaid": ("malformed", lambda: answer(bomb())),
    "no http": ("malformed", lambda: b"\0\1\2\r\n\r\n" * 10),
    "long header": ("malformed", lambda: head("X-Long: " + "x" * 100_000, length=0)),
    "many headers": ("malformed", lambda: head(*["X-Many: x"] * 1000, length=0)),
    "two lengths": ("malformed", lambda: head("Content-Length: 3", length=5) + b"abcde"),
    "error": ("refused", lambda: head(length=0, status="500 X")),
    "redirect": (
        "refused",
        lambda: head("Location: http://127.0.0.1:9/", length=0, status="307 X"),
    ),
    "switch": ("refused", lambda: head("Upgrade: h2c", "Connection: Upgrade", status="101 X")),
}


async def huge_length(writer: asyncio.StreamWriter) -> None:
    writer.write(head(length=10**10))
    await flood(writer, bytes(PIECE))


async def endless_chunks(writer: asyncio.StreamWriter) -> None:
    writer.write(head("Transfer-Encoding: chunked"))
    await flood(writer, b"10000\r\n" + bytes(0x10000) + b"\r\n")


async def endless_extension(writer: asyncio.StreamWriter) -> None:
    writer.write(head("Transfer-Encoding: chunked") + b"1;")
    await flood(writer, b"x" * PIECE)


async def until_closed(writer: asyncio.StreamWriter) -> None:
    writer.write(head())
    await flood(writer, bytes(PIECE))


async def continues(writer: asyncio.StreamWriter) -> None:
    await flood(writer, b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)


async def flood(writer: asyncio.StreamWriter, data: bytes) -> None:
    for _ in range(200 * MIB // len(data)):
        writer.write(data)
        await writer.drain()
    await asyncio.sleep(60)


async def hang(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def stop_midway(writer: asyncio.StreamWriter) -> None:
    writer.write(head(length=1000) + b"abc")
    await hang(writer)


async def drip(writer: asyncio.StreamWriter) -> None:
    writer.write(head(length=2000))
    for _ in range(2000):
        writer.write(b"x")
        await asyncio.sleep(0.05)


async def close_connection(writer: asyncio.StreamWriter) -> None:
    writer.close()


WRITERS: dict[str, tuple[str, Write]] = {
    "huge length": ("malformed", huge_length),
    "endless chunks": ("malformed", endless_chunks),
    "endless extension": ("timeout", endless_extension),
    "until closed": ("malformed", until_closed),
    "continues": ("timeout", continues),
    "hang": ("timeout", hang),
    "midway": ("timeout", stop_midway),
    "drip": ("timeout", drip),
    "hang up": ("unreachable", close_connection),
}


def writer_of(text: bytes) -> Write:
    async def write(writer: asyncio.StreamWriter) -> None:
        for start in range(0, len(text), PIECE):  # or the fake would hold a copy of all of it
            writer.write(text[start : start + PIECE])
            await writer.drain()

    return write


CORRECT = writer_of(answer(wire.pack_rows(rows_of(1))))


@dataclass
class MaliciousPod:
    """A pod that answers a blank image correctly, and any other image with the given function."""

    write: Write
    write_probe: Write | None = None
    url: str = ""
    probes: int = 0
    requests: int = 0
    tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with (
            contextlib.closing(writer.transport),
            contextlib.suppress(asyncio.IncompleteReadError, ConnectionError),
        ):
            while True:
                top = await reader.readuntil(b"\r\n\r\n")
                length = int(top.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                images = wire.unpack_images(await reader.readexactly(length))
                if images.any():
                    self.requests += 1
                    await self.write(writer)
                else:
                    self.probes += 1
                    await (self.write_probe or CORRECT)(writer)
                await writer.drain()

    def handle_in_task(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.add(asyncio.create_task(self.handle(reader, writer)))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["MaliciousPod"]:
        server = await asyncio.start_server(
            self.handle_in_task, "127.0.0.1", 0, family=socket.AF_INET
        )
        host, port = server.sockets[0].getsockname()
        self.url = f"http://{host}:{port}"
        try:
            yield self
        finally:
            server.close()
            for task in self.tasks:
                task.cancel()
            await asyncio.wait(self.tasks, timeout=1)


KINDS = {name: (reason, writer_of(make())) for name, (reason, make) in ANSWERS.items()} | WRITERS
"""Malicious pods by name, with the reason for which the gateway evicts them."""
