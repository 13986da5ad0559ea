"""A reader's actions on the film in the viewer, and films that no browser shows by itself."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

from bentos.settings import SHIPPED_EXAMPLES
from tests import dicoms
from tests.browser import page_actions
from tests.waiting import until

SIDE = 512


def deep_film(bits: int = 16) -> np.ndarray:
    """A film that is read, uint16 (512, 512), whose values fill a part of its bits as a detector's
    do: read as eight bits of sixteen it would be black."""
    with Image.open(SHIPPED_EXAMPLES / "opacity.jpg") as picture:
        greys = np.asarray(picture.convert("L").resize((SIDE, SIDE)), np.uint16)
    return greys * ((2 ** min(bits, 12) - 1) // 255)


def dicom(folder: Path, name: str = "film.dcm", **elements: Any) -> Path:
    """A DICOM file of 12 bits with these elements."""
    path = folder / name
    path.write_bytes(dicoms.film(deep_film(12), **elements))
    return path


def open_film(page: Page, *files: Path) -> None:
    """Has films analysed, and waits until the first is decoded."""
    page_actions.analyse(page, *files)
    expect(page.locator(".stage .empty")).to_have_count(0)


def press(page: Page, *keys: str) -> None:
    """Presses keys on the film."""
    page_actions.canvas(page).focus()
    for key in keys:
        page.keyboard.press(key)


def place(page: Page, across: float, down: float) -> tuple[float, float]:
    """A point of the screen by fractions of a film that is shown whole and upright."""
    page_actions.canvas(page).scroll_into_view_if_needed()
    box = page_actions.canvas(page).bounding_box()
    assert box is not None
    side = min(box["width"], box["height"])
    left, top = box["x"] + (box["width"] - side) / 2, box["y"] + (box["height"] - side) / 2
    return left + across * side, top + down * side


def click(page: Page, *places: Sequence[float]) -> None:
    """Clicks on points of a film that is shown whole."""
    for across, down in places:
        page.mouse.click(*place(page, across, down))


def told(page: Page) -> str:
    """What the viewer says of a pixel or a measurement."""
    expect(page.locator(".stage .told")).to_be_visible()
    return page.locator(".stage .told").inner_text()


def drawn(page: Page) -> np.ndarray:
    """The pixels of the viewer's canvas, uint8 (H, W, 3), once they stop changing."""
    _, coded = page_actions.pixels(page_actions.canvas(page)).split(",")
    with Image.open(io.BytesIO(base64.b64decode(coded))) as picture:
        black = Image.new("RGBA", picture.size, "black")
        return np.asarray(Image.alpha_composite(black, picture.convert("RGBA")).convert("RGB"))


def expect_drawn(page: Page, expected: np.ndarray) -> None:
    """Waits until the viewer's canvas has these pixels."""
    until(lambda: np.array_equal(drawn(page), expected))


def shown(page: Page) -> np.ndarray:
    """The square of the canvas in which a square film is shown whole, uint8 (side, side, 3)."""
    pixels = drawn(page)
    side = min(pixels.shape[:2])
    top, left = ((length - side) // 2 for length in pixels.shape[:2])
    return pixels[top : top + side, left : left + side]
