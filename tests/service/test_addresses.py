"""A service at every address of its machine."""

from pathlib import Path

import httpx

from bentos.process.sockets import EVERY_ADDRESS
from tests.addresses import needs_ipv6
from tests.service.server import serve


@needs_ipv6
def test_service_at_every_address_answers_over_both_families(tmp_path: Path) -> None:
    pod = ("bentos.cli", "serve-classifier")
    token = {"CHESTXRAY_POD_TOKEN": "a token that is long enough"}

    with serve(tmp_path, command=pod, host=EVERY_ADDRESS, **token) as server:
        port = httpx.URL(server.url).port
        for host in ("127.0.0.1", "[::1]"):
            assert httpx.get(f"http://{host}:{port}/readyz", timeout=60).status_code == 200, host
