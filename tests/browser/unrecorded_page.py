"""A page whose network traffic nothing records.

For each page of its own, Playwright has the browser keep the bodies of up to 200 MB of requests and
answers in the process that draws the page. Where that process's memory is measured, the page is
opened and driven by the few messages of the DevTools protocol that are needed.
"""

import json
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from tests.browser.chromium import PATIENCE_MS
from tests.waiting import until


class UnrecordedPage:
    """Opens an address in a window of the browser's own profile."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser.new_browser_cdp_session()
        self._browser.on("Target.receivedMessageFromTarget", self._receive)
        self._answers: dict[int, dict[str, Any]] = {}
        self._last = 0
        self._target = self._browser.send("Target.createTarget", {"url": url})["targetId"]
        attached = {"targetId": self._target, "flatten": False}
        self._session = self._browser.send("Target.attachToTarget", attached)["sessionId"]
        until(lambda: self.evaluate("document.documentElement.hasAttribute('data-ready')"))

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page."""
        found = self._send("Runtime.evaluate", expression=expression, returnByValue=True)
        return found["result"].get("value")

    def choose_files(self, selector: str, *files: Path) -> None:
        """Chooses files from disk."""
        document = self._send("DOM.getDocument")["root"]["nodeId"]
        node = self._send("DOM.querySelector", nodeId=document, selector=selector)["nodeId"]
        self._send("DOM.setFileInputFiles", files=[str(each) for each in files], nodeId=node)

    def close(self) -> None:
        self._browser.send("Target.closeTarget", {"targetId": self._target})
        self._browser.detach()

    def _receive(self, event: dict[str, Any]) -> None:
        message = json.loads(event["message"])
        if "id" in message:
            self._answers[message["id"]] = message

    def _send(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        sent = {"sessionId": self._session, "message": json.dumps(message)}
        self._browser.send("Target.sendMessageToTarget", sent)
        end = time.monotonic() + PATIENCE_MS / 1000
        while self._last not in self._answers:
            if time.monotonic() > end:
                raise TimeoutError(f"the page did not answer {method}")
            self._browser.send("Browser.getVersion")  # lets Playwright take what has arrived
        answer = self._answers.pop(self._last)
        result: dict[str, Any] = answer["result"]
        return result
