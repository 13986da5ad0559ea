"""Whatever is dropped or pasted is answered in words; only a lost connection is called one."""

import gzip
import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from bentos.settings import Settings
from tests import dicoms
from tests.browser import page_actions
from tests.browser.conftest import Visit
from tests.browser.page_actions import CLEAR, ENGLISH, OPACITY
from tests.phantoms import phantom

_EXPECTED = "status of 4(00|13|15|22)"
_ZIP = b"PK\x03\x04\x14\x00\x00\x00\x08\x00"
_HUGE = Settings().max_image_bytes + 1


def gif() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(phantom(300, 300)).save(buffer, "GIF")
    return buffer.getvalue()


CONTENTS: dict[str, tuple[bytes, str]] = {
    "letter.docx": (
        _ZIP + bytes(16) + b"[Content_Types].xml",
        "unsupported-format.Office document",
    ),
    "old.doc": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99),
        "unsupported-format.Office document",
    ),
    "scan.pdf": (b"%PDF-1.7\n" + bytes(99), "unsupported-format.PDF"),
    "films.zip": (_ZIP + bytes(99), "unsupported-format.ZIP"),
    "film.gz": (gzip.compress(bytes(99)), "unsupported-format.gzip"),
    "films.7z": (b"7z\xbc\xaf\x27\x1c" + bytes(99), "unsupported-format.7z"),
    "films.rar": (b"Rar!\x1a\x07\x00" + bytes(99), "unsupported-format.RAR"),
    "visit.mp4": (b"\0\0\0\x18ftypisom" + bytes(99), "unsupported-format.video"),
    "photo.heic": (b"\0\0\0\x18ftypheic" + bytes(99), "unsupported-format.HEIC"),
    "photo.cr2": (b"II*\0\x10\0\0\0CR\x02\0" + bytes(99), "unsupported-format.camera raw"),
    "film.gif": (gif(), "unsupported-format.GIF"),
    "film.psd": (b"8BPS\0\x01" + bytes(99), "unsupported-format.Photoshop"),
    "favicon.ico": (b"\0\0\x01\0\x01\0" + bytes(99), "unsupported-format.icon"),
    "notes.txt": (b"nothing but text", "unsupported-format.text"),
    "page.html": (b"<!doctype html><p>no film", "unsupported-format.HTML or XML"),
    "plan.svg": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "unsupported-format.SVG"),
    "result.json": (b'{"no": "film"}', "unsupported-format.JSON"),
    "report.xml": (b"<?xml version='1.0'?><report/>", "unsupported-format.HTML or XML"),
    "zeros.jpg": (bytes(5000), "unsupported-format.zeros only"),
    "head.nii": (b"\x5c\x01\0\0" + bytes(340) + b"n+1\0" + bytes(99), "unsupported-format.NIfTI"),
    "link.jpg": (b"https://example.org/film.jpg", "not-a-file"),
    "empty.png": (b"", "empty-image"),
    "cut.jpg": (CLEAR.read_bytes()[:9000], "truncated-image"),
    "program.exe": (b"MZ\x90\0" + bytes(range(1, 200)), "unsupported-format"),
}
"""Contents of files, by name, and the texts that answer them."""


def answer_of(key: str) -> tuple[str, str]:
    """Title and advice of a problem."""
    return ENGLISH[f"problem.{key.partition('.')[0]}.title"], ENGLISH[f"problem.{key}.advice"]


def expect_answer(page: Page, key: str) -> None:
    """Waits for these words; only what failed on the way can be tried again."""
    title, advice = answer_of(key)
    expect(page.locator("#result .problem > p").first).to_have_text(advice)
    expect(page.locator("#result h2")).to_have_text(title)
    expect(page.get_by_role("button", name=ENGLISH["problem.retry"])).to_have_count(0)


@pytest.fixture
def page(visit: Visit) -> Page:
    return visit(expecting=_EXPECTED)


@pytest.mark.parametrize("name", CONTENTS)
def test_file_that_is_no_image_is_answered_in_its_own_words(
    page: Page, tmp_path: Path, name: str
) -> None:
    data, key = CONTENTS[name]
    (tmp_path / name).write_bytes(data)

    page_actions.drop(page, tmp_path / name)

    expect_answer(page, key)
    expect(page.locator(".visit")).to_contain_text(name)


def test_answers_differ() -> None:
    keys = {key for _, key in CONTENTS.values()}

    assert len({answer_of(key) for key in keys}) == len(keys) > 20


def huge_file(place: Path) -> list[Path]:
    path = place / "huge.dat"
    path.touch()
    os.truncate(path, _HUGE)
    return [path]


def empty_folder(place: Path) -> list[Path]:
    (place / "ward" / "deep").mkdir(parents=True)
    return [place / "ward"]


def folder_of_hidden_files(place: Path) -> list[Path]:
    (place / "ward").mkdir()
    (place / "ward" / "Thumbs.db").write_bytes(b"hidden")
    return [place / "ward"]


def folder_of_very_many(place: Path) -> list[Path]:
    (place / "ward").mkdir()
    for number in range(101):
        shutil.copy(CLEAR, place / "ward" / f"{number}.jpg")
    return [place / "ward"]


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (huge_file, "body-too-large"),
        (empty_folder, "empty-folder"),
        (folder_of_hidden_files, "empty-folder"),
        (folder_of_very_many, "too-many-images"),
    ],
)
def test_what_cannot_be_sent_is_answered_without_a_request(
    page: Page, tmp_path: Path, make: Callable[[Path], list[Path]], key: str
) -> None:
    sent: list[str] = []
    page.on("request", lambda each: sent.append(each.method) if each.method == "POST" else None)

    page_actions.drop(page, *make(tmp_path))

    title, _ = answer_of(key)
    expect(page.locator("#result h2")).to_have_text(title)
    expect(page.get_by_role("button", name=ENGLISH["problem.retry"])).to_have_count(0)
    assert sent == []


_THINGS = [
    [{"mimeType": "text/uri-list", "data": "https://example.org/film.jpg"}],
    [{"mimeType": "text/plain", "data": "a film, they say"}],
    [
        {"mimeType": "text/html", "data": "<img src='https://example.org/film.jpg'>"},
        {"mimeType": "text/plain", "data": "https://example.org/film.jpg"},
    ],
]


@pytest.mark.parametrize("items", _THINGS)
def test_text_or_address_from_elsewhere_is_answered_and_does_not_replace_the_page(
    page: Page, items: list[dict[str, str]]
) -> None:
    address = page.url

    page_actions.drop(page, items=items)

    expect_answer(page, "not-a-file")
    expect(page.locator(".visit")).to_contain_text(items[-1]["data"])
    assert page.url == address


_PASTE = """(target, text) => {
  const clipboardData = new DataTransfer();
  clipboardData.setData("text/plain", text);
  target.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
}"""


def test_pasted_text_is_answered_unless_it_is_typed_into_a_field(visit_keeping: Visit) -> None:
    page = visit_keeping()

    page.get_by_text(ENGLISH["key.own"]).click()
    page.locator("#own-key").evaluate(_PASTE, "cxr_key")
    expect(page.locator("#history")).to_be_hidden()
    page.locator("body").evaluate(_PASTE, "https://example.org/film.jpg")

    expect_answer(page, "not-a-file")
    expect(page.locator(".visit")).to_have_count(1)


def test_drop_without_anything_in_it_is_answered(page: Page) -> None:
    page.locator("body").evaluate(
        """body => {
          const dataTransfer = new DataTransfer();
          Object.defineProperty(dataTransfer, "types", { value: ["Files"] });
          body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
        }"""
    )

    expect_answer(page, "missing-image")


def test_file_that_is_gone_when_its_turn_comes_is_called_unreadable(
    page: Page, tmp_path: Path
) -> None:
    for file in (CLEAR, OPACITY):
        shutil.copy(file, tmp_path)
    page.route(page_actions.ANALYSES, lambda route: None)
    page_actions.drop(page, tmp_path / CLEAR.name, tmp_path / OPACITY.name)
    expect(page.locator(".progress")).to_contain_text("1 more waiting.")
    expect(page.locator(".visit img")).to_have_count(2)

    (tmp_path / OPACITY.name).unlink()
    page_actions.press_button(page, ENGLISH["progress.cancel"])
    page.locator(".visit .open").click()

    expect_answer(page, "file-unreadable")


def test_folders_are_analysed_file_by_file_where_there_are_no_jobs(
    visit: Visit, tmp_path: Path
) -> None:
    page = visit()
    for folder, film in (("one", CLEAR), ("two/deep", OPACITY)):
        (tmp_path / folder).mkdir(parents=True)
        shutil.copy(film, tmp_path / folder)
    (tmp_path / "one" / "gone.jpg").symlink_to(tmp_path / "nowhere")

    page_actions.drop(page, tmp_path / "one", tmp_path / "two")

    analysed = page.locator(".visit strong", has_text="%")
    expect(analysed).to_have_count(2)
    expect(page.locator(".visit")).to_contain_text(["two/deep/opacity.jpg", "one/clear.jpg"])


def test_dicom_under_another_name_is_analysed(visit: Visit, tmp_path: Path) -> None:
    page = visit(expecting="status of 422")
    values = phantom(600, 700).astype(np.uint16) * 16
    (tmp_path / "film.jpg").write_bytes(dicoms.film(values))

    page_actions.drop(page, tmp_path / "film.jpg")

    expect(page.locator("#result h2")).to_be_visible()
    shown = page.locator("#result h2").inner_text()
    verdicts = [text for key, text in ENGLISH.items() if key.startswith(("outcome.", "verdict."))]
    assert shown in verdicts
