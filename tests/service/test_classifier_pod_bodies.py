"""A classifier pod checks a request's headers before it reads the body."""

import asyncio
import contextlib
import json
import socket
import struct
import time
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp, Message

from bentos.http.request_state import begin
from bentos.inference import wire
from bentos.settings import Settings
from chestxray import checkpoints
from loadtests.load_generator import free_port
from tests import waiting
from tests.service.fakes import check_problem
from tests.service.test_classifier_pod import HEADERS, IMAGES, TOKEN, ask, pod, pod_app


class Sender:
    """One request whose body the test supplies in parts; counts the parts that the app reads."""

    def __init__(self, *body: bytes, ends: bool = True, **headers: str) -> None:
        self._body, self._ends, self.read, self.sent = list(body), ends, 0, list[Message]()
        self._headers = HEADERS | {"Content-Length": str(sum(map(len, body)))} | headers

    @property
    def answer(self) -> tuple[int, dict[str, Any]]:
        return self.sent[0]["status"], json.loads(self.sent[1]["body"])

    async def _receive(self) -> Message:
        await asyncio.sleep(0.02)
        if self.read == len(self._body):
            await asyncio.sleep(60)  # there is no more
        self.read += 1
        more = self.read < len(self._body) or not self._ends
        return {"type": "http.request", "body": self._body[self.read - 1], "more_body": more}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)

    async def ask(self, app: ASGIApp) -> "Sender":
        headers = [(k.lower().encode(), v.encode()) for k, v in self._headers.items() if v]
        scope = {"type": "http", "method": "POST", "path": wire.PATH, "headers": headers}
        scope |= {"query_string": b""}
        begin(scope, "x")
        await app(scope, self._receive, self._send)
        return self


BODY = wire.pack_images(IMAGES)


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Authorization": "Bearer wrong"}, 401, "unauthorised"),
        ({wire.DIGEST_HEADER: "sha256:other"}, 409, "another-model"),
        ({"Content-Length": ""}, 411, "length-required"),
        ({"Content-Length": "", "Transfer-Encoding": "chunked"}, 411, "length-required"),
        ({"Content-Length": "-1"}, 411, "length-required"),
        ({"Content-Length": "9" * 5000}, 411, "length-required"),
        ({"Content-Length": "10000000000"}, 413, "body-too-large"),
    ],
    ids=["token", "model", "no length", "chunked", "negative", "endless number", "large"],
)
def test_body_of_a_request_rejected_by_its_headers_is_not_read(
    headers: dict[str, str], status: int, code: str
) -> None:
    sender = asyncio.run(Sender(BODY, **headers).ask(pod_app()))

    assert sender.answer[0] == status
    assert sender.answer[1]["code"] == code
    assert sender.read == 0


def test_unfinished_body_holds_capacity_and_the_next_request_is_not_read() -> None:
    async def ask() -> tuple[Sender, Sender]:
        app = pod_app(max_images_in_flight=4, max_images_per_batch=1, body_timeout_seconds=2)
        held = Sender(BODY[:-1], ends=False, **{"Content-Length": str(len(BODY))})
        holding = asyncio.create_task(held.ask(app))
        await waiting.until_async(lambda: held.read)
        refused = await Sender(BODY).ask(app)
        gone = await holding
        assert (await Sender(BODY).ask(app)).sent[0]["status"] == 200  # nothing is reserved now
        return gone, refused

    gone, refused = asyncio.run(ask())

    assert refused.answer[1]["detail"] == "3 images are in flight; the limit is 4"
    assert refused.read == 0
    assert (gone.answer[0], gone.answer[1]["code"]) == (408, "body-timeout")


def test_slow_body_is_cut_off_at_the_body_timeout() -> None:
    app, started = pod_app(body_timeout_seconds=0.5), time.monotonic()

    sender = asyncio.run(Sender(*(BODY[i : i + 1] for i in range(1000))).ask(app))

    assert (sender.answer[0], sender.answer[1]["code"]) == (408, "body-timeout")
    assert time.monotonic() - started < 5  # the thousand bytes take 20


def test_body_longer_than_its_content_length_is_rejected() -> None:
    sender = Sender(BODY, BODY, **{"Content-Length": str(len(BODY))})

    asyncio.run(sender.ask(pod_app()))

    assert (sender.answer[0], sender.answer[1]["code"]) == (400, "malformed-tensor")


@pytest.mark.parametrize("dtype", ["BF16", "F8_E4M3", "F4", "F32", "C64", "X9"])
def test_tensor_of_another_type_is_rejected(dtype: str) -> None:
    facts = {"images": {"dtype": dtype, "shape": [1, 1, 224, 224], "data_offsets": [0, 50176]}}
    header = json.dumps(facts).encode()

    answer = ask(struct.pack("<Q", len(header)) + header + bytes(50176))

    check_problem(answer, 400, "malformed-tensor")


def test_unfinished_bodies_use_bounded_memory(
    tmp_path: Path,
) -> None:
    port = free_port()
    digest = checkpoints.digest(Settings().classifier_checkpoint)
    head = f"POST {wire.PATH} HTTP/1.1\r\nHost: pod\r\nAuthorization: Bearer {TOKEN}\r\n"
    head += f"{wire.DIGEST_HEADER}: {digest}\r\nContent-Length: 6426624\r\n\r\n"
    with pod(tmp_path, port) as running, contextlib.ExitStack() as stack:
        front = running.worker("CovidClassifier")
        before = front.memory_full_info().uss
        for _ in range(40):
            sender = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            sender.settimeout(1)
            with contextlib.suppress(OSError):
                sender.sendall(head.encode() + bytes(6_400_000))

        assert front.memory_full_info().uss - before < 40 * 2**20
