"""Behind a real nginx or HAProxy each client gets its own responses, whatever another one sends.

The proxies share their connections to the service between clients, as ingress-nginx does.
"""

import contextlib
import getpass
import http.client
import shutil
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from loadtests.load_generator import free_port
from tests.service.server import Server
from tests.service.test_one_answer_per_request import (
    AMBIGUOUS_FRAMINGS,
    FRAMINGS,
    SMUGGLED,
    UPGRADES,
    head,
)

CLIENTS, REQUESTS = 3, 2000
"""Number of good clients besides the attacker, and of their requests."""
ANALYSE_EVERY = 25
"""Every 25th request is analysed; the others are rejected early, which is quick."""
NGINX = """
user {user}; pid {folder}/pid; error_log {folder}/error.log; daemon off; worker_processes 1;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {folder}; proxy_temp_path {folder};
  fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  upstream up {{ server 127.0.0.1:{upstream}; keepalive 4; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://up; proxy_http_version 1.1; {more}
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
    }}
  }}
}}
"""
HAPROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  http-reuse always
listen proxy
  bind 127.0.0.1:{port}
  option httpchk
  server up 127.0.0.1:{upstream} check inter 500
"""


@dataclass(frozen=True)
class Proxy:
    """How a proxy is started."""

    program: str
    config: str
    arguments: tuple[str, ...]
    more: str = ""


PROXIES = {
    "nginx": Proxy("nginx", NGINX, ("-e", "/dev/null", "-c")),
    "nginx without buffers": Proxy(
        "nginx", NGINX, ("-e", "/dev/null", "-c"), more="proxy_request_buffering off;"
    ),
    "HAProxy": Proxy("haproxy", HAPROXY, ("-f",)),
}


@contextlib.contextmanager
def running(proxy: Proxy, folder: Path, server: Server) -> Iterator[int]:
    """The port of a running proxy in front of a server."""
    program = shutil.which(proxy.program) or shutil.which(f"/usr/sbin/{proxy.program}")
    if program is None:
        pytest.skip(f"{proxy.program} is not installed")
    port, config = free_port(), folder / "proxy.conf"
    upstream = server.url.rpartition(":")[2]
    config.write_text(
        proxy.config.format(
            folder=folder, port=port, upstream=upstream, more=proxy.more, user=getpass.getuser()
        )
    )
    process = subprocess.Popen([program, *proxy.arguments, str(config)])
    try:
        wait_until_answered(port)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def wait_until_answered(port: int) -> None:
    stop = time.monotonic() + 20
    while time.monotonic() < stop:
        with contextlib.suppress(OSError, http.client.HTTPException), connect(port) as connection:
            if ask(connection, "ready") == "ready":
                return
        time.sleep(0.1)
    raise RuntimeError("the proxy does not answer")


def connect(port: int) -> contextlib.closing[http.client.HTTPConnection]:
    return contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30))


def ask(connection: http.client.HTTPConnection, name: str, image: bytes = b"x") -> str:
    """Posts an image and returns the request id of the response."""
    headers = {"X-Request-ID": name, "Content-Type": "image/png"}
    connection.request("POST", "/v1/analyses?heatmap=none", image, headers)
    answer = connection.getresponse()
    answer.read()
    found = answer.headers.get("x-request-id", f"status {answer.status}")
    statuses = (200, 422) if len(image) > 1 else (415,)
    if found == name and answer.status not in statuses:
        return f"status {answer.status}"
    return found


@dataclass
class Traffic:
    """Good clients of a proxy, and an attacker."""

    port: int
    image: bytes
    wrong: Counter[str] = field(default_factory=Counter)
    asked: int = 0
    attacks: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        clients = [
            threading.Thread(target=self._post_images, args=(number,)) for number in range(CLIENTS)
        ]
        attacker = threading.Thread(target=self._attack)
        for thread in (*clients, attacker):
            thread.start()
        for thread in clients:
            thread.join()
        self._over.set()
        attacker.join()

    def _post_images(self, client: int) -> None:
        with connect(self.port) as connection:
            for number in range(client, REQUESTS, CLIENTS):
                name = f"client{client}-{number}"
                image = self.image if number % ANALYSE_EVERY == 0 else b"x"
                try:
                    found = ask(connection, name, image)
                except (OSError, http.client.HTTPException) as error:
                    connection.close()
                    found = type(error).__name__
                self._count(name, found)

    def _count(self, name: str, found: str) -> None:
        with self._lock:
            self.asked += 1
            if found != name:
                self.wrong["another's" if found.startswith("client") else found] += 1

    def _attack(self) -> None:
        while not self._over.is_set():
            for attack in ATTACKS:
                with (
                    contextlib.suppress(OSError),
                    socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection,
                ):
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    attack(connection)
                    self.attacks += 1
                    connection.recv(65536)
                if self._over.wait(0.01):
                    return


Attack = Callable[[socket.socket], None]


def later(start: bytes, body: bytes) -> Attack:
    """An attack that sends a body in a separate packet, also when it passes through a proxy."""

    def attack(connection: socket.socket) -> None:
        connection.sendall(start)
        time.sleep(0.001)
        connection.sendall(body)

    return attack


ATTACKS = [
    *(
        later(head("/v1/analyses", upgrade + b"Content-Length: %d\r\n" % len(body)), body)
        for upgrade in UPGRADES.values()
        for body in (SMUGGLED * 3, b"\r\n" * 50_000 + SMUGGLED * 3)
    ),
    *(
        later(head("/v1/analyses", upgrade + FRAMINGS["chunks"][0]), FRAMINGS["chunks"][1])
        for upgrade in UPGRADES.values()
    ),
    *(
        later(head("/v1/analyses", b"")[:-2] + framing, SMUGGLED)
        for framing in AMBIGUOUS_FRAMINGS.values()
    ),
]


@pytest.mark.parametrize("proxy", PROXIES.values(), ids=PROXIES)
def test_every_client_of_a_proxy_gets_its_own_responses(
    server: Server, png: bytes, tmp_path: Path, proxy: Proxy
) -> None:
    with running(proxy, tmp_path, server) as port:
        traffic = Traffic(port, png)
        traffic.run()

    assert traffic.attacks > 10
    assert (traffic.asked, traffic.wrong) == (REQUESTS, Counter())
