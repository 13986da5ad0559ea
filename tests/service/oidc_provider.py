"""A provider of OpenID Connect that others wrote, as a process on the loopback interface."""

import html
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from loadtests.load_generator import free_port

_READY_SECONDS = 60


class RealProvider:
    """A running one; a person is the subject that is typed into its page."""

    def __init__(self, port: int, process: "subprocess.Popen[str]") -> None:
        self.issuer, self._process = f"http://127.0.0.1:{port}", process

    def stop(self) -> None:
        """Ends it; a second time does nothing."""
        self._process.terminate()
        self._process.communicate(timeout=10)

    def add(self, subject: str, **claims: Any) -> None:
        """Makes a person known, with more claims."""
        httpx.put(f"{self.issuer}/users/{subject}", json=claims).raise_for_status()

    def authorise(self, address: str, subject: str) -> str:
        """Does what a person does there; returns where the browser is sent then."""
        with httpx.Client() as browser:
            assert "<form" in browser.get(address).raise_for_status().text
            answer = browser.post(address, data={"sub": subject})
            assert answer.status_code == 302, answer.text
            return html.unescape(answer.headers["location"])


@contextmanager
def real_provider() -> Iterator[RealProvider]:
    """Runs one until the end of the block."""
    port = free_port()
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    provider = RealProvider(port, process)
    try:
        _await(provider, process)
        yield provider
    finally:
        provider.stop()


def _await(provider: RealProvider, process: "subprocess.Popen[str]") -> None:
    end = time.monotonic() + _READY_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            httpx.get(f"{provider.issuer}/.well-known/openid-configuration").raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.1)
    process.kill()
    raise RuntimeError(f"the provider did not start: {process.communicate()[1]}")
