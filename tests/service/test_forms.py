"""Forms and raw bodies as clients send them: accepted if possible, otherwise rejected with
advice.
"""

import base64
import gzip
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.cpu_time import least_cpu_seconds_of
from tests.service.fakes import DARK, check_problem

IMAGE = b'form-data; name="image"'
NAMED = IMAGE + b'; filename="x.png"'
FORM = "multipart/form-data; boundary=XbX"
DICOM = bytes(128) + b"DICM" + bytes(400)


def part(disposition: bytes = NAMED, data: bytes = DARK, headers: bytes = b"") -> bytes:
    return (
        b"--XbX\r\nContent-Disposition: " + disposition + b"\r\n" + headers + b"\r\n" + data
    ) + b"\r\n"


def form(*parts: bytes, end: bytes = b"--XbX--\r\n") -> bytes:
    return b"".join(parts or [part()]) + end


ACCEPTED_FORMS: dict[str, tuple[bytes, str]] = {
    "no filename": (form(part(IMAGE)), FORM),
    "name unquoted": (form(part(b"form-data; name=image")), FORM),
    "both unquoted": (form(part(b"form-data; name=image; filename=x.png")), FORM),
    "filename first": (form(part(b'form-data; filename="x"; name="image"')), FORM),
    "filename* alone": (form(part(IMAGE + b"; filename*=UTF-8''t%C3%B3rax.png")), FORM),
    "filename in UTF-8": (form(part(IMAGE + '; filename="tórax.png"'.encode())), FORM),
    "filename in Latin-1": (form(part(IMAGE + '; filename="tórax"'.encode("latin-1"))), FORM),
    "Windows path": (form(part(IMAGE + rb'; filename="C:\Users\x\film.png"')), FORM),
    "escaped quote": (form(part(IMAGE + rb'; filename="a\"b.png"')), FORM),
    "semicolon in the name": (form(part(IMAGE + b'; filename="a;b.png"')), FORM),
    "empty filename": (form(part(IMAGE + b'; filename=""')), FORM),
    "lower-case header": (form(part().replace(b"Content-Disp", b"content-disp")), FORM),
    "its own length": (form(part(headers=b"Content-Length: %d\r\n" % len(DARK))), FORM),
    "binary": (form(part(headers=b"Content-Transfer-Encoding: BINARY\r\n")), FORM),
    "text/plain part": (form(part(IMAGE, headers=b"Content-Type: text/plain\r\n")), FORM),
    "preamble": (b"This is a MIME message\r\n" + form(), FORM),
    "CRLF first": (b"\r\n" + form(), FORM),
    "epilogue": (form() + b"bye", FORM),
    "no CRLF at the end": (form(end=b"--XbX--"), FORM),
    "quoted boundary": (form(), 'multipart/form-data; boundary="XbX"'),
    "charset after boundary": (form(), FORM + "; charset=ISO-8859-1"),
    "capitals": (form(), "Multipart/Form-Data; Boundary=XbX"),
    **{
        f"bytes as {kind or 'an empty type'}": (DARK, kind)
        for kind in (
            "",
            "image/png",
            "IMAGE/PNG",
            "image/png; charset=binary",
            "image/*",
            "*/*",
            "application/octet-stream",
            "binary/octet-stream",
            "application/dicom",
            "application/pdf",
            "video/mp4",
            "text/plain",
        )
    },
}


@pytest.mark.parametrize("name", ACCEPTED_FORMS)
def test_form_or_raw_body_of_a_common_client_is_accepted(
    run: Callable[..., None], name: str
) -> None:
    """F13, and what .NET, Go, Java, Delphi, PHP, curl and browsers are known to send."""
    body, media_type = ACCEPTED_FORMS[name]

    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post(
            "/v1/analyses", content=body, headers={"content-type": media_type}
        )

        assert answer.status_code == 200, answer.text

    run(test)


REJECTED_FORMS: dict[str, tuple[bytes, str, int, str, str]] = {
    "bare LF": (form().replace(b"\r\n", b"\n"), FORM, 400, "malformed-form", "CRLF"),
    "no end": (form(end=b""), FORM, 400, "malformed-form", "final boundary"),
    "cut within the image": (form()[:-90], FORM, 400, "malformed-form", "final boundary"),
    "no boundary": (form(), "multipart/form-data", 400, "malformed-form", "boundary"),
    "empty boundary": (form(), FORM[:-3], 400, "malformed-form", "boundary"),
    "another boundary": (form(), FORM[:-3] + "abc", 400, "malformed-form", "boundary"),
    "no disposition": (
        form(b"--XbX\r\n\r\n" + DARK + b"\r\n"),
        FORM,
        400,
        "malformed-form",
        "Content-Disposition",
    ),
    "endless header": (
        form(part(headers=b"X-A: " + b"a" * 9000 + b"\r\n")),
        FORM,
        400,
        "malformed-form",
        "header",
    ),
    "no part": (b"--XbX--\r\n", FORM, 400, "missing-image", "field image"),
    "empty file": (form(part(IMAGE + b'; filename=""', b"")), FORM, 400, "empty-image", "no bytes"),
    "base64 part": (
        form(part(headers=b"Content-Transfer-Encoding: base64\r\n", data=base64.b64encode(DARK))),
        FORM,
        415,
        "unsupported-content-encoding",
        "Content-Transfer-Encoding",
    ),
    "URL in the field": (form(part(IMAGE, b"https://x/a")), FORM, 400, "not-a-file", "URLs"),
    "data: URL in the field": (
        form(part(IMAGE, b"data:image/png;base64," + base64.b64encode(DARK * 20))),
        FORM,
        400,
        "not-a-file",
        "send a file",
    ),
    "base64 in the field": (
        form(part(IMAGE, base64.b64encode(DARK))),
        FORM,
        400,
        "not-a-file",
        "base64",
    ),
    "any text": (form(part(IMAGE, "tórax".encode())), FORM, 400, "not-a-file", "send a file"),
    "URL as bytes": (b"http://x/a.png", "text/plain", 400, "not-a-file", "URLs"),
    "further field": (
        form(part(), part(b'form-data; name="patient"', b"42")),
        FORM,
        400,
        "unexpected-field",
        "image",
    ),
    "two images": (form(part(), part()), FORM, 400, "too-many-images", "/v1/analyses/batch"),
    "JSON": (b'{"image":"aGVsbG8="}', "application/json", 415, "unsupported-media-type", "base64"),
    "URL-encoded": (
        b"image=aGVsbG8",
        "application/x-www-form-urlencoded",
        415,
        "unsupported-media-type",
        "curl --data",
    ),
    "multipart/mixed": (
        form(),
        "multipart/mixed; boundary=XbX",
        415,
        "unsupported-media-type",
        "field image",
    ),
} | {
    f"field {name}": (
        form(part(f'form-data; name="{name}"; filename="x"'.encode())),
        FORM,
        400,
        "unexpected-field",
        "name the file's field image",
    )
    for name in ("file", "files", "upload", "data", "img", "images", "image[]", "Image", "")
}


@pytest.mark.parametrize("name", REJECTED_FORMS)
def test_rejected_body_is_answered_with_advice(run: Callable[..., None], name: str) -> None:
    body, media_type, status, code, hint = REJECTED_FORMS[name]

    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post(
            "/v1/analyses", content=body, headers={"content-type": media_type}
        )

        problem = check_problem(answer, status, code)
        assert hint in problem.detail
        assert "patient" not in answer.text and "image[]" not in answer.text

    run(test)


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "br", "zstd", "GZIP, identity"])
@pytest.mark.parametrize("body", [DARK, form()], ids=["bytes", "form"])
def test_rejection_of_an_encoded_body_names_its_encoding(
    run: Callable[..., None], encoding: str, body: bytes
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        kind = FORM if body is not DARK else "image/png"
        headers = {"content-encoding": encoding, "content-type": kind}
        answer = await client.post("/v1/analyses", content=gzip.compress(body), headers=headers)

        problem = check_problem(answer, 415, "unsupported-content-encoding")
        assert encoding.partition(",")[0].lower() in problem.detail
        assert answer.headers["accept-encoding"] == "identity"

    run(test)


def test_identity_content_encoding_is_accepted(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        headers = {"content-encoding": "identity"}
        assert (await client.post("/v1/analyses", content=DARK, headers=headers)).is_success

    run(test)


def test_form_sent_byte_by_byte_is_parsed_the_same(run: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        async def single_bytes() -> Any:
            for byte in form(part(IMAGE), part()):
                yield bytes([byte])

        headers = {"content-type": FORM}
        answer = await client.post("/v1/analyses/batch", content=single_bytes(), headers=headers)

        assert [each["filter"]["valid"] for each in answer.json()["results"]] == [True, True]

    run(test)


MEGABYTES = 8
SIZE = MEGABYTES * 2**20
COSTLY = {
    "line ends": part(data=b"\r\n" * (SIZE // 2)),
    "blanks": part(data=b"\n" * SIZE),
    "nearly the boundary": part(data=b"\r\n--XbY" * (SIZE // 7)),
    "the boundary and more": part(data=b"\r\n--XbXy" * (SIZE // 8)),
    "padding of the boundary": b"--XbX" + b" " * SIZE + b"\r\n",
    "padding of a later boundary": part(data=b"x\r\n--XbX" + b"\t" * SIZE),
    "many parts": part(data=b"x") * (SIZE // 70),
    "many headers": part(headers=b"a:b\r\n" * (SIZE // 5)),
    "one header": part(headers=b"a:" + b"b" * SIZE + b"\r\n"),
    "options of a header": part(NAMED + b'; a="' * 800) * 8,
    "preamble": b"\r\n" * (SIZE // 2) + part(),
    "preamble of boundaries": b"x--XbX" * (SIZE // 6) + part(),
    "epilogue": form() + b"\r\n" * (SIZE // 2),
}


@pytest.mark.parametrize("name", COSTLY)
def test_parsing_a_form_takes_bounded_cpu_time_per_byte(
    run: Callable[..., None], name: str
) -> None:
    """See multipart_cost.py; measures CPU time, which is independent of the machine's load."""

    async def test(client: httpx.AsyncClient) -> None:
        body, headers = form(COSTLY[name]), {"content-type": FORM}

        async def post() -> None:
            await client.post("/v1/analyses/batch", content=chunks(body), headers=headers)

        assert await least_cpu_seconds_of(post) < 0.05 * MEGABYTES

    run(test)


async def chunks(body: bytes) -> Any:
    for start in range(0, len(body), 2**16):
        yield body[start : start + 2**16]


def test_form_is_held_in_memory_only_once(run: Callable[..., None]) -> None:
    import tracemalloc

    size = 24 * 2**20

    async def body() -> Any:
        yield b"--XbX\r\nContent-Disposition: " + IMAGE + b"\r\n\r\n"
        for _ in range(size // 2**16):
            yield bytes(2**16)
        yield b"\r\n--XbX--\r\n"

    async def test(client: httpx.AsyncClient) -> None:
        headers = {"content-type": FORM}
        tracemalloc.start()
        await client.post("/v1/analyses", content=body(), headers=headers)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert peak < 1.35 * size

    run(test)
