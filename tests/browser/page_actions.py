"""Page object: a visitor's actions on the page, and what is visible."""

import base64
import json
import mimetypes
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import FilePayload, JSHandle, Locator, Page, expect

from bentos.settings import SHIPPED_EXAMPLES, WEB
from chestxray.labels import FINDINGS

CLEAR = SHIPPED_EXAMPLES / "clear.jpg"
OPACITY = SHIPPED_EXAMPLES / "opacity.jpg"
PATCHES = SHIPPED_EXAMPLES / "patches.jpg"
TURNED = SHIPPED_EXAMPLES / "turned.jpg"
HAND = SHIPPED_EXAMPLES / "hand.jpg"
ANALYSES = "**/v1/analyses*"

_TRANSFER = """files => {
  const transfer = new DataTransfer();
  for (const { name, type, bytes } of files) {
    const data = Uint8Array.from(atob(bytes), (sign) => sign.charCodeAt(0));
    transfer.items.add(new File([data], name, { type }));
  }
  return transfer;
}"""
_LISTEN = """() => {
  window.said = [];
  const place = document.getElementById("announcer");
  const listener = new MutationObserver(() => window.said.push(place.textContent));
  listener.observe(place, { childList: true });
}"""
_SETTLED = """async canvas => {
  let last = "", same = 0;
  while (same < 5) {
    await new Promise(requestAnimationFrame);
    const now = canvas.toDataURL();
    same = now === last ? same + 1 : 0;
    last = now;
  }
  return last;
}"""


def texts(name: str) -> dict[str, str]:
    """The page's texts in a language."""
    found: dict[str, str] = json.loads((WEB / "locales" / f"{name}.json").read_text())
    return found


ENGLISH = texts("en")
FINDING_NAMES = [ENGLISH[f"finding.{finding}"] for finding in FINDINGS]


def choose_files(page: Page, *files: Path | FilePayload) -> None:
    """Chooses files from disk, or given contents."""
    page.set_input_files("[id='intake.pick']", list(files))  # type: ignore[arg-type]


def transfer(page: Page, *files: Path) -> JSHandle:
    """The clipboard or drag data of pasted or dropped files."""
    described = [
        {
            "name": file.name,
            "type": mimetypes.guess_type(file.name)[0],
            "bytes": base64.b64encode(file.read_bytes()).decode(),
        }
        for file in files
    ]
    return page.evaluate_handle(_TRANSFER, described)


def drop(page: Page, *paths: Path, items: Sequence[dict[str, str]] = ()) -> None:
    """Drops files or folders as from a file manager, or other things as from a program."""
    client = page.context.new_cdp_session(page)
    files = [str(each) for each in paths]
    data = {"items": list(items), "files": files, "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        place = {"type": kind, "x": 200, "y": 300}
        client.send("Input.dispatchDragEvent", {**place, "data": data})
    client.detach()


def click_example(page: Page, name: str) -> None:
    page.locator(f".examples button:has(img[src*='/{name}.jpg?'])").click()


def expect_result(page: Page) -> None:
    """Waits for the probability bars and the heatmap over the image."""
    expect(page.locator("#result .bars")).to_be_visible()
    expect(page.locator("#viewer fieldset")).to_be_visible()


def analyse(page: Page, *files: Path) -> None:
    """Has files analysed, and waits for the first result."""
    visits = page.locator(".visit")
    earlier = visits.count()
    choose_files(page, *files)
    expect(visits).to_have_count(earlier + len(files))
    expect_result(page)
    expect(page.locator(".progress")).to_be_hidden()


def expect_problem(page: Page, title: str) -> Locator:
    """Waits for the problem message, and returns it."""
    expect(page.locator("#result h2")).to_have_text(title)
    return page.locator("#result .problem")


def canvas(page: Page) -> Locator:
    return page.locator(".stage canvas")


def pixels(drawn: Locator) -> str:
    """The pixels of a canvas, once they stop changing."""
    return str(drawn.evaluate(_SETTLED))


def set_slider(page: Page, label: str, value: float) -> None:
    """Moves a slider."""
    page.get_by_label(label, exact=True).fill(str(value))


def press_button(page: Page, label: str) -> None:
    page.get_by_role("button", name=label, exact=True).click()


def use_language(page: Page, code: str) -> None:
    page.locator("#language").select_option(code)
    expect(page.locator("html")).to_have_attribute("lang", code)


def analyse_rejected(page: Page, file: Path) -> None:
    """Has a file rejected, and waits for the reason."""
    choose_files(page, file)
    expect(page.locator(".visit[aria-current]")).to_contain_text(file.name)
    expect(page.locator("#result .problem")).to_be_visible()


def listen(page: Page) -> None:
    """Records from now on what the live region says."""
    page.evaluate(_LISTEN)


def said(page: Page) -> list[str]:
    """What the live region has said since then."""
    found: list[str] = page.evaluate("() => window.said")
    return found
