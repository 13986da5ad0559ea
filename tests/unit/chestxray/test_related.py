"""multipart/related is joined and taken apart byte for byte."""

import os

import pytest

from chestxray.related import body_of, parts_of

DICOM = "application/dicom"
TYPE = f'multipart/related; type="{DICOM}"; boundary=b'
HEAD = b"--b\r\nContent-Type: application/dicom\r\n\r\n"


@pytest.mark.parametrize(
    "content", [b"", b"\r\n", b"\n--b\n", b"\r\n\r\n", b"-- b", os.urandom(100_000), b"\r\n" * 99]
)
def test_parts_are_what_was_joined(content: bytes) -> None:
    files = [content, b"other", content]

    assert parts_of(body_of(files, "b", of_type=DICOM), TYPE, of_type=DICOM) == files


@pytest.mark.parametrize(
    "body",
    [
        b"a preamble\r\n" + HEAD + b"one\r\n--b--\r\nan epilogue",
        b"--b  \r\nX: y\r\ncontent-type:application/dicom; a=b\r\n\r\none\r\n--b--",
    ],
    ids=["around", "headers"],
)
def test_other_spellings_are_read(body: bytes) -> None:
    assert parts_of(body, TYPE.replace("=b", '="b"'), of_type=DICOM) == [b"one"]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"", "ends early"),
        (HEAD + b"one", "ends early"),
        (HEAD + b"one\r\n--b", "malformed|ends early"),
        (b"--b\r\n\r\none\r\n--b--", "malformed"),
        (b"--bc\r\n" + HEAD[5:] + b"one\r\n--b--", "malformed"),
        (b"--b\r\nContent-Type: text/html\r\n\r\none\r\n--b--", "is not application/dicom"),
        ((HEAD + b"\r\n") * 65 + b"--b--", "more than 64"),
    ],
    ids=["empty", "no end", "half an end", "no type", "other boundary", "HTML", "many"],
)
def test_malformed_message_is_refused(body: bytes, found: str) -> None:
    with pytest.raises(ValueError, match=found):
        parts_of(body, TYPE, of_type=DICOM)


@pytest.mark.parametrize("boundary", ["", "; boundary=", "; boundary=é"])
def test_message_without_a_boundary_is_refused(boundary: str) -> None:
    with pytest.raises(ValueError, match=r"boundary|ascii"):
        parts_of(HEAD, f"multipart/related{boundary}", of_type=DICOM)
