"""The wire format round-trips images and rows, and rejects anything else."""

import contextlib
import json
import pickle
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from bentos.covid_classifier.service import ROW
from bentos.inference import wire

IMAGES = np.arange(2 * 224 * 224, dtype=np.uint8).reshape(2, 1, 224, 224)


def rows() -> np.ndarray:
    found = np.zeros(2, ROW)
    found["ok"] = (True, False)
    found["probabilities"] = np.linspace(0, 1, 6).reshape(2, 3)
    found["cam"][1, 2, 3, 4] = -7.5
    return found


def document(header: bytes, data: bytes = b"", *, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def described(data: bytes, **fields: dict[str, Any]) -> bytes:
    return document(json.dumps(fields).encode(), data)


def image_of(dtype: str, *shape: int, size: int, offsets: tuple[int, int] | None = None) -> bytes:
    facts = {"dtype": dtype, "shape": shape, "data_offsets": offsets or (0, size)}
    return described(bytes(size), images=facts)


def test_packed_images_unpack_unchanged() -> None:
    found = wire.unpack_images(wire.pack_images(IMAGES[:, :, ::1]))

    assert found.dtype == np.uint8
    assert np.array_equal(found, IMAGES)


def test_packed_rows_unpack_unchanged() -> None:
    found = wire.unpack_rows(wire.pack_rows(rows()), ROW, 2)

    assert found.dtype == ROW
    assert np.array_equal(found, rows())


def test_packed_size_is_within_the_declared_maximum() -> None:
    assert len(wire.pack_images(IMAGES)) <= wire.max_images_bytes(2)
    assert len(wire.pack_rows(rows())) <= wire.max_rows_bytes(ROW, 2)


def test_image_count_is_derived_from_the_body_length() -> None:
    assert wire.images_within(len(wire.pack_images(IMAGES))) == 2
    assert wire.images_within(len(wire.pack_images(IMAGES[:0]))) == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"\xff" * 64,
        pickle.dumps(IMAGES),
        wire.pack_images(IMAGES)[:-1],
        save({"images": IMAGES.astype(np.float32)}),
        save({"images": IMAGES[:, 0]}),
        save({"pictures": IMAGES}),
        save({"images": IMAGES, "more": IMAGES}),
        save({}),
    ],
    ids=["empty", "json", "noise", "pickle", "cut", "type", "shape", "name", "two", "none"],
)
def test_body_that_is_not_packed_images_is_rejected(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"the body is"):
        wire.unpack_images(body)


SIZE = wire.IMAGE_BYTES


@pytest.mark.parametrize(
    "body",
    [
        image_of("BF16", 1, 1, 224, 224, size=2 * SIZE),
        image_of("F8_E4M3", 1, 1, 224, 224, size=SIZE),
        image_of("F8_E5M2", 1, 1, 224, 224, size=SIZE),
        image_of("F8_E8M0", 1, 1, 224, 224, size=SIZE),
        image_of("F4", 2, 1, 224, 224, size=SIZE),
        image_of("I8", 1, 1, 224, 224, size=SIZE),
        image_of("BOOL", 1, 1, 224, 224, size=SIZE),
        image_of("C64", 1, 1, 224, 224, size=8 * SIZE),
        image_of("X9", 1, 1, 224, 224, size=SIZE),
        image_of("U8", 2**62, 4, 224, 224, size=SIZE),
        image_of("U8", 2**63, 2, 224, 224, size=SIZE),
        image_of("U8", 2**64, 1, 224, 224, size=SIZE),
        image_of("U8", -1, 1, 224, 224, size=SIZE),
        image_of("U8", 0, 1, 224, 224, size=SIZE),
        image_of("U8", 1, 1, 224, 224, size=SIZE, offsets=(SIZE, 0)),
        image_of("U8", 1, 1, 224, 224, size=SIZE, offsets=(1, SIZE + 1)),
        image_of("U8", 1, 1, 224, 224, size=SIZE, offsets=(0, 10 * SIZE)),
        image_of("U8", 1, 1, 224, 224, size=SIZE, offsets=(0, 2**64 - 1)),
        document(b"{}", bytes(SIZE), length=2**63),
        document(b"{}", bytes(SIZE), length=2**64 - 1),
        document(b"{}", bytes(SIZE), length=90_000_000),
        document(b'{"a":' * 800 + b"1" + b"}" * 800),
        document(b'{"a":' * 200_000 + b"1" + b"}" * 200_000),
        document(b'{"images":1}'),
        document(b"[]"),
        document(b"null"),
        described(
            b"",
            **{
                f"t{i}": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}
                for i in range(30_000)
            },
        ),
    ],
)
def test_crafted_header_is_rejected_for_images_and_for_rows(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"the body is"):
        wire.unpack_images(body)
    with pytest.raises(ValueError):
        wire.unpack_rows(body, ROW, 1)


def test_duplicate_tensor_name_is_rejected() -> None:
    one = '"images":{"dtype":"U8","shape":[1,1,224,224],"data_offsets":[0,50176]}'

    with pytest.raises(ValueError):
        wire.unpack_images(document(f"{{{one},{one}}}".encode(), bytes(2 * SIZE)))


def test_boolean_with_a_value_above_one_is_rejected() -> None:
    body = wire.pack_rows(rows())
    header = json.loads(body[8 : 8 + struct.unpack("<Q", body[:8])[0]])
    place = len(body) - max(each["data_offsets"][1] for each in header.values())
    place += header["ok"]["data_offsets"][0]

    with pytest.raises(ValueError, match="ok is not"):
        wire.unpack_rows(body[:place] + b"\x02" + body[place + 1 :], ROW, 2)


def test_error_message_does_not_repeat_tensor_names() -> None:
    with pytest.raises(ValueError) as found:
        wire.unpack_rows(save({"name of\na patient": IMAGES}), ROW, 2)

    assert "patient" not in str(found.value)


TYPES = ("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F4", "I16", "BF16", "F32", "F64", "C64", "?")
NUMBERS = st.one_of(st.integers(-1, 8), st.sampled_from((3, 14, 196, 224, SIZE)), st.integers())
FACTS = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.sampled_from(TYPES),
        "shape": st.lists(NUMBERS, max_size=5),
        "data_offsets": st.lists(NUMBERS, min_size=1, max_size=3),
    },
)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=10,
)
NAMES = st.sampled_from(("images", "__metadata__", *(ROW.names or ())))
HEADERS = st.dictionaries(NAMES, FACTS | JSON) | JSON


def check_read_or_rejected(body: bytes) -> None:
    """Checks that a body is read as the expected arrays or raises a ValueError."""
    with contextlib.suppress(ValueError):
        assert wire.unpack_images(body).dtype == np.uint8
    with contextlib.suppress(ValueError):
        assert wire.unpack_rows(body, ROW, 2).dtype == ROW


BITS = {
    "BOOL": 8,
    "F4": 4,
    "F6_E2M3": 6,
    "I8": 8,
    "U8": 8,
    "F8_E5M2": 8,
    "F8_E4M3": 8,
    "F8_E8M0": 8,
}
BITS |= {"I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "C64": 64}
BITS |= {"F64": 64, "I64": 64, "U64": 64}


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(BITS)), st.lists(st.integers(0, 9), max_size=4)),
        max_size=4,
    ),
    st.sampled_from((("images",), ROW.names or ())),
)
def test_valid_document_of_other_tensors_is_read_or_rejected(
    drawn: list[tuple[str, list[int]]], names: tuple[str, ...]
) -> None:
    header, end = {}, 0
    for name, (dtype, shape) in zip(names, drawn, strict=False):
        size = int(np.prod(shape, initial=1)) * BITS[dtype] // 8
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    check_read_or_rejected(document(json.dumps(header).encode(), bytes(end)))


@settings(max_examples=100)
@given(HEADERS, st.integers(0, 3), st.none() | st.integers(0, 2**64 - 1))
def test_arbitrary_header_is_read_or_rejected(header: Any, images: int, length: int | None) -> None:
    check_read_or_rejected(
        document(json.dumps(header).encode(), bytes(images * SIZE), length=length)
    )


@settings(max_examples=100)
@given(st.data())
def test_mutated_document_is_read_or_rejected(data: st.DataObject) -> None:
    body = bytearray(data.draw(st.sampled_from((wire.pack_images(IMAGES), wire.pack_rows(rows())))))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, min(len(body), 500) - 1))] = data.draw(st.integers(0, 255))
    check_read_or_rejected(bytes(body[: data.draw(st.none() | st.integers(0, len(body)))]))


@settings(max_examples=100)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_read_or_rejected(body: bytes) -> None:
    check_read_or_rejected(body)
    check_read_or_rejected(struct.pack("<Q", len(body)) + body)


@pytest.mark.parametrize(
    "change",
    [
        {"cam": np.zeros((2, 3, 7, 7), np.float32)},
        {"probabilities": np.zeros((2, 3), np.float64)},
        {"embedding": np.zeros((2, 4), np.float32)},
    ],
    ids=["shape", "type", "name"],
)
def test_rows_of_another_version_are_rejected(change: dict[str, np.ndarray]) -> None:
    fields = {name: rows()[name].copy() for name in ROW.names or ()}

    with pytest.raises(ValueError):
        wire.unpack_rows(save(fields | change), ROW, 2)


def test_rows_for_fewer_images_are_rejected() -> None:
    with pytest.raises(ValueError):
        wire.unpack_rows(wire.pack_rows(rows()), ROW, 3)
