"""Bodies of DICOM objects are read part by part, in any division into chunks, within bounds."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bentos.gateway.related import MalformedBody, Part, read_parts
from chestxray import related

BOUNDARY = "XbX"
DICOM = "application/dicom"
FIRST, SECOND = b"first\r\n--Xb\r\n", bytes(range(256)) * 40


def body_of(*parts: bytes, of_type: str = DICOM) -> bytes:
    return related.body_of(parts, BOUNDARY, of_type=of_type)


def read(
    body: bytes, *, chunk: int = 1000, max_bytes: int = 2**20, boundary: str = BOUNDARY
) -> list[Part]:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), chunk):
            yield body[start : start + chunk]
        yield b""  # as Starlette ends a body

    counts: list[int] = []
    found = asyncio.run(read_parts(chunks(), boundary, max_bytes=max_bytes, check=counts.append))
    assert counts == list(range(1, len(found) + 1))
    return found


@pytest.mark.parametrize("chunk", [1, 7, 1000, 10**6])
def test_parts_are_read_byte_for_byte(chunk: int) -> None:
    found = read(body_of(FIRST, SECOND), chunk=chunk)

    assert [(part.readable, part.data) for part in found] == [(True, FIRST), (True, SECOND)]


@pytest.mark.parametrize(
    ("header", "readable"),
    [
        (b"", True),
        (b"Content-Type: application/dicom\r\n", True),
        (b"content-type: Application/DICOM; transfer-syntax=1.2.840.10008.1.2.1\r\n", True),
        (b"Content-Type: application/dicom\r\nContent-Location: /a\r\nMIME-Version: 1\r\n", True),
        (b"Content-Type: application/dicom\r\nContent-Transfer-Encoding: binary\r\n", True),
        (b"Content-Type: application/dicom\r\nContent-Transfer-Encoding: base64\r\n", False),
        (b"Content-Type: application/dicom+json\r\n", False),
        (b"Content-Type: image/jpeg\r\n", False),
    ],
)
def test_part_of_another_type_or_encoding_is_kept_out_alone(header: bytes, readable: bool) -> None:
    odd = b"--XbX\r\n" + header + b"\r\nodd\r\n"

    found = read(odd + body_of(SECOND))

    assert [part.readable for part in found] == [readable, True]
    assert found[0].data == (b"odd" if readable else b"")
    assert found[1].data == SECOND


def test_part_over_the_limit_is_kept_out_alone_and_takes_no_memory() -> None:
    found = read(body_of(SECOND, FIRST), max_bytes=100)

    assert [(part.readable, part.data) for part in found] == [(False, b""), (True, FIRST)]


def test_part_of_exactly_the_limit_is_read() -> None:
    (found,) = read(body_of(SECOND), max_bytes=len(SECOND))

    assert found.data == SECOND


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no boundary at all, but some bytes",
        body_of(FIRST)[:-4],
        body_of(FIRST)[:-8],
        body_of(FIRST, SECOND)[:-200],
        body_of(FIRST).replace(b"\r\n", b"\n"),
        body_of(FIRST).replace(b"Content-Type:", b"Content-Type"),
        b"--XbX\r\nContent-Length: 3\r\n\r\nlonger\r\n--XbX--\r\n",
        b"--XbX\r\n" + b"A: b\r\n" * 100 + b"\r\nx\r\n--XbX--\r\n",
        b"--XbX\r\n" + b"A: " + b"b" * 10**5 + b"\r\n\r\nx\r\n--XbX--\r\n",
    ],
    ids=range(10),
)
def test_malformed_body_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedBody, match="cannot be parsed"):
        read(body)


def test_body_without_parts_is_refused() -> None:
    with pytest.raises(MalformedBody, match="no parts"):
        read(b"--XbX--\r\n")


def test_boundary_that_cannot_be_one_is_refused() -> None:
    with pytest.raises(MalformedBody):
        read(body_of(FIRST), boundary="a\nb")


def test_reading_stops_where_the_check_refuses_the_number_of_parts() -> None:
    seen: list[int] = []

    async def endless() -> AsyncIterator[bytes]:
        for number in range(1000):
            seen.append(number)
            yield b"--XbX\r\n\r\n\r\n"

    def check(count: int) -> None:
        if count > 2:
            raise KeyError(count)

    with pytest.raises(KeyError):
        asyncio.run(read_parts(endless(), BOUNDARY, max_bytes=10, check=check))
    assert len(seen) < 10
