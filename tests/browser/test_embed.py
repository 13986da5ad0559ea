"""The bench in the frame of a portal's page, of another site."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from chestxray.results import DISCLAIMER
from tests.browser.chromium import READY
from tests.browser.page_actions import CLEAR, ENGLISH, OPACITY, TURNED
from tests.browser.test_storage import portal
from tests.service.server import Server, serve

_DOCUMENT = """<!doctype html><title>A portal</title>
<iframe {sandbox} width=800 height=700 src="{url}"></iframe><ol id="heard"></ol>
<script>addEventListener("message", ({{ origin, data }}) => {{
  const item = document.createElement("li");
  item.dataset.type = data.type;
  item.textContent = JSON.stringify({{ origin, data }});
  document.getElementById("heard").append(item);
}});</script>"""


@dataclass(frozen=True)
class Portal:
    """A portal's page, and the service that allows it to frame the bench."""

    page: Page
    server: Server

    @property
    def frame(self) -> FrameLocator:
        return self.page.frame_locator("iframe")

    def heard(self, kind: str) -> list[dict[str, object]]:
        """The messages of this kind that the portal's page was told."""
        items = self.page.locator(f"#heard li[data-type='{kind}']").all_text_contents()
        return [json.loads(each) for each in items]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def open_portal(
    stack: ExitStack, browser: Browser, folder: Path, ancestors: str, sandbox: str = ""
) -> Portal:
    """Opens a page that frames the bench; {own} in `ancestors` is its origin."""
    address = stack.enter_context(portal(folder, ""))
    parts = urlsplit(address)
    allowed = ancestors.format(own=f"{parts.scheme}://{parts.netloc}")
    server = stack.enter_context(
        serve(folder, OMP_NUM_THREADS="1", CHESTXRAY_FRAME_ANCESTORS=allowed)
    )
    document = _DOCUMENT.format(url=f"{server.url}/embed?lang=en", sandbox=sandbox)
    (folder / "index.html").write_text(document)
    context = stack.enter_context(browser.new_context(locale="en-US"))
    page = context.new_page()
    page.goto(address)
    return Portal(page, server)


@pytest.mark.parametrize("sandbox", ["", 'sandbox="allow-scripts allow-same-origin"'])
def test_portal_is_told_the_height_and_each_result(
    browser: Browser, stack: ExitStack, tmp_path: Path, sandbox: str
) -> None:
    opened = open_portal(stack, browser, tmp_path, "https://x.example {own}", sandbox)
    frame = opened.frame
    frame.locator(READY).wait_for()
    page = opened.page
    expect(page.locator("#heard [data-type='height']")).not_to_have_count(0)
    before = len(opened.heard("height"))

    frame.locator("[id='intake.pick']").set_input_files([CLEAR, OPACITY, TURNED])

    expect(frame.locator("#result .bars")).to_be_visible()
    expect(page.locator("#heard [data-type='result']")).to_have_count(2)
    for each in opened.heard("result"):
        assert each["origin"] == opened.server.url
        data = each["data"]
        assert isinstance(data, dict)
        assert set(data) == {
            "source", "type", "label", "probabilities", "outcome", "disclaimer"
        }  # fmt: skip
        assert (data["source"], data["disclaimer"]) == ("chestxray", DISCLAIMER)
        shares = data["probabilities"]
        assert sum(shares.values()) == pytest.approx(1, abs=0.01)
        assert data["label"] == max(shares, key=shares.__getitem__)
        assert data["outcome"] in (data["label"], "indeterminate")
    assert len(opened.heard("height")) > before
    for _ in range(100):  # the film is still being decoded, and changes the height
        last = opened.heard("height")[-1]["data"]
        body = frame.locator("body").evaluate("body => body.getBoundingClientRect().height")
        if last["height"] == pytest.approx(body, abs=1):  # type: ignore[index]
            return
        page.wait_for_timeout(100)
    pytest.fail(f"the portal was told {last}, and the page is {body} high")


def test_portal_whose_origin_is_not_named_is_told_nothing(
    browser: Browser, stack: ExitStack, tmp_path: Path
) -> None:
    opened = open_portal(stack, browser, tmp_path, "http://localhost:*")
    opened.frame.locator(READY).wait_for()

    opened.frame.locator("[id='intake.pick']").set_input_files([CLEAR])

    expect(opened.frame.locator("#result .bars")).to_be_visible()
    expect(opened.page.locator("#heard li")).to_have_count(0)


def test_frame_has_the_bench_and_the_disclaimer_alone(
    browser: Browser, stack: ExitStack, tmp_path: Path
) -> None:
    opened = open_portal(stack, browser, tmp_path, "{own}")
    frame = opened.frame
    frame.locator(READY).wait_for()

    expect(frame.locator("aside.warning")).to_contain_text(ENGLISH["disclaimer.short"])
    expect(frame.locator("#intake")).to_be_visible()
    for each in (".top", "#why", "#how", "#api", "#kept", "#jobs", "#projector", "#history"):
        expect(frame.locator(each)).to_be_hidden()
    assert ENGLISH["keep.blocked"] not in frame.locator("body").inner_text()
    frame.locator("[id='intake.pick']").set_input_files([CLEAR])
    expect(frame.locator("#result .bars")).to_be_visible()
    expect(frame.locator("#history")).to_be_hidden()
    frame.locator("[id='intake.pick']").set_input_files([OPACITY])
    expect(frame.locator(".visit")).to_have_count(2)
    expect(frame.locator("#history")).to_be_visible()  # the way to the other

    with opened.page.context.expect_page() as beside:
        frame.locator("aside.warning a").click()
    beside.value.wait_for_selector(READY)
    expect(beside.value.locator("#limits")).to_be_visible()


def test_frame_that_a_sandbox_denies_its_scripts_says_so(
    browser: Browser, stack: ExitStack, tmp_path: Path
) -> None:
    opened = open_portal(stack, browser, tmp_path, "{own}", 'sandbox="allow-scripts"')

    expect(opened.frame.locator("#sandboxed")).to_have_text(ENGLISH["page.sandboxed"])
    expect(opened.frame.locator("#unreachable")).to_be_hidden()


def test_frame_is_refused_where_no_setting_allows_it(
    browser: Browser, stack: ExitStack, tmp_path: Path
) -> None:
    opened = open_portal(stack, browser, tmp_path, "'self'")

    expect(opened.frame.locator("#intake")).to_have_count(0)
    assert opened.heard("height") == []
