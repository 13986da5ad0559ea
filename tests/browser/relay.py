"""A reverse proxy with a path prefix that records traffic and can delay it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

_SENT_ON = ("Accept-Language", "Cookie")
_PASSED_ON = (
    "content-type",
    "cache-control",
    "content-security-policy",
    "etag",
    "retry-after",
    "set-cookie",
)


class Relay(ThreadingHTTPServer):
    """A proxy that forwards requests while `open` is set, and loses some if told to."""

    daemon_threads = True

    def __init__(self, target: str, *, port: int = 0, path: str = "") -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.target, self.path = target, path
        self.bodies: list[bytes] = []
        self.answers: list[bytes] = []
        self.open = threading.Event()
        self.open.set()
        self.lost_bodies, self.lost_answers = 0, 0
        """Of so many requests the connection breaks before, or after the service has them."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}{self.path}/"


@contextmanager
def run_relay(target: str, *, port: int = 0, path: str = "") -> Iterator[Relay]:
    """Runs a relay, on a free port unless one is given."""
    with Relay(target, port=port, path=path) as relay:
        thread = threading.Thread(target=relay.serve_forever)
        thread.start()
        try:
            yield relay
        finally:
            relay.open.set()
            relay.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Relay

    def do_GET(self) -> None:
        self._forward(b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if body and not self._carries(body):
            self.close_connection = True
            return
        self._forward(body)

    def _carries(self, body: bytes) -> bool:
        """Records a body and waits; False where its request is to be lost."""
        self.server.bodies.append(body)
        self.server.open.wait()
        is_lost = self.server.lost_bodies > 0
        self.server.lost_bodies -= is_lost
        return not is_lost

    def do_DELETE(self) -> None:
        self._forward(b"")

    def _forward(self, body: bytes) -> None:
        address = self.server.target + self.path.removeprefix(self.server.path)
        headers = {"content-type": self.headers.get("Content-Type", "")} if body else {}
        headers |= {name: self.headers[name] for name in _SENT_ON if name in self.headers}
        answer = httpx.request(self.command, address, content=body, headers=headers, timeout=60)
        if body:
            self.server.answers.append(answer.content)
            if self.server.lost_answers:
                self.server.lost_answers -= 1
                self.close_connection = True
                return
        with suppress(ConnectionError):
            self.send_response(answer.status_code)
            for name in _PASSED_ON:
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing."""
