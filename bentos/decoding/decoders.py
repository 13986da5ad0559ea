"""Pool of sandboxed decoder processes, so that a malicious file affects only its own request.

multiprocessing's fork server has imported everything that a decoder needs, so a replacement starts
within milliseconds and crashing decoders gains an attacker nothing. Process pools (multiprocessing,
anyio, loky, pebble) unpickle what a worker returns: a compromised worker could take over the
gateway. Hence plain processes and pipes here.
"""

import json
import logging
import multiprocessing
import signal
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from queue import LifoQueue
from threading import Lock
from types import ModuleType
from typing import TypeVar

import numpy as np
from PIL import Image

from bentos.decoding import protocol
from bentos.decoding.protocol import BEGUN, READY, Answer, Request, raw
from bentos.decoding.refusals import error_of
from bentos.metric_labels import DecoderRestartReason
from bentos.metrics import get_metrics
from chestxray.confinement import ProcessLimits
from chestxray.dicom.instance import Instance
from chestxray.dicom.study.order import Order
from chestxray.engines import Images
from chestxray.errors import ImageTooCostly, ModelUnavailable
from chestxray.limits import Limits
from chestxray.preprocessing import SIZE
from chestxray.results import Input

logger = logging.getLogger(__name__)

_TRIES = 3
"""If a decoder dies or hangs before it has received a file, the file is not the cause: retry."""
_START_SECONDS = 20.0
"""Timeout for a process to start; starting the fork server takes a second itself."""
_STALL_SECONDS = 2.0
"""Timeout for reads from and writes to a decoder's pipe."""
_WALL_CLOCK = 10
"""Wall-clock limit for decoding, as a multiple of the CPU time limit."""
_EXIT_SECONDS = 1.0
"""Timeout for a process to exit after its pipe closed or it was killed."""
_MAX_ANSWER_BYTES = 4096

T = TypeVar("T")
Work = Callable[[Connection, Limits, ProcessLimits], None]

# Starting a process makes multiprocessing poll all of its children, which is not thread-safe.
_lock = Lock()


@dataclass(frozen=True)
class Decoded:
    """A decoded file."""

    input: Input
    pixels: Images  # uint8 (1, SIZE, SIZE)
    picture: Image.Image | None  # mode L, to draw the heatmap over


class Decoders:
    """A fixed number of decoder processes."""

    def __init__(
        self,
        limits: Limits,
        process_limits: ProcessLimits,
        *,
        processes: int,
        work: Work = protocol.work,
    ) -> None:
        self.processes = processes
        self._idle = LifoQueue[_Decoder]()  # the last one has the warmest caches
        for _ in range(processes):
            self._idle.put(_Decoder(limits, process_limits, work))

    def start(self) -> None:
        """Starts the processes and waits until each is ready or has failed."""
        decoders = [self._idle.get() for _ in range(self.processes)]
        for each in decoders:
            each.start()
        for each in decoders:
            with suppress(OSError, EOFError):  # the first file retries
                each.wait_until_ready()
            self._idle.put(each)

    def decode(self, data: bytes, request: Request) -> Decoded:
        """Decodes a file; blocks until a decoder is free.

        Raises RejectedImage (including ImageTooCostly) or ModelUnavailable.
        """
        return self._with_a_decoder(data, request, _Decoder.receive_decoded)

    def write_objects(self, data: bytes, order: Order) -> list[bytes]:
        """Writes the DICOM objects of an analysis of this file; blocks and raises as `decode`."""
        request = Request(order=order.model_dump_json())
        return self._with_a_decoder(data, request, _Decoder.receive_objects)

    def identify(self, data: bytes) -> Instance:
        """Reads which object a DICOM file is; blocks and raises as `decode`."""
        return self._with_a_decoder(data, Request(identify=True), _Decoder.receive_instance)

    def _with_a_decoder(self, data: bytes, request: Request, receive: "Receive[T]") -> T:
        each = self._idle.get()
        try:
            return each.work(data, request, receive)
        finally:
            self._idle.put(each)

    def close(self) -> None:
        """Ends each process after its current file."""
        for _ in range(self.processes):
            self._idle.get().end()


class _Decoder:
    """One decoder process, replaced when it fails."""

    def __init__(self, limits: Limits, process_limits: ProcessLimits, work: Work) -> None:
        self._limits, self._process_limits, self._work = limits, process_limits, work
        self._process: BaseProcess | None = None

    def start(self) -> None:
        self._connection, theirs = multiprocessing.Pipe()
        _limit_stalls(self._connection)
        with theirs, _lock, _main_hidden():
            arguments = (theirs, self._limits, self._process_limits)
            process = _context().Process(target=self._work, args=arguments, daemon=True)
            process.start()
        self._process, self._ready = process, False

    def wait_until_ready(self) -> None:
        if not self._ready:
            self._expect(READY, within=_START_SECONDS)
            self._ready = True

    def end(self) -> int | None:
        """Kills the process; returns the exit code if it had already exited."""
        if self._process is None:
            return None
        process, self._process = self._process, None
        with self._connection, _lock:
            code = process.exitcode
            process.kill()
            process.join(_EXIT_SECONDS)
        return code

    def work(self, data: bytes, request: Request, receive: "Receive[T]") -> T:
        for _ in range(_TRIES):
            try:
                self._hand_over(data, request)
            except (OSError, EOFError):
                self._replace(DecoderRestartReason.IDLE)
            else:
                return self._result(request, receive)
        raise ModelUnavailable("no decoder is available; try again")

    def _hand_over(self, data: bytes, request: Request) -> None:
        if self._process is None:
            self.start()
        self.wait_until_ready()
        if self._connection.poll():  # an idle decoder sends nothing, so this is EOF
            raise EOFError
        self._connection.send_bytes(json.dumps([*request, len(data)]).encode())
        with raw(self._connection) as stream:
            stream.sendall(data)
        self._expect(BEGUN, within=_STALL_SECONDS)

    def _expect(self, word: bytes, *, within: float) -> None:
        if not self._connection.poll(within) or self._connection.recv_bytes(len(word)) != word:
            raise EOFError

    def _result(self, request: Request, receive: "Receive[T]") -> T:
        try:
            if not self._connection.poll(_WALL_CLOCK * self._process_limits.seconds):
                raise TimeoutError
            answer = Answer.model_validate_json(self._connection.recv_bytes(_MAX_ANSWER_BYTES))
            outcome = error_of(answer) or receive(self, answer, request)
        except (OSError, EOFError, ValueError) as error:
            self._replace(self._why(error))
            raise ImageTooCostly(
                f"decoding the image took more than {self._process_limits.seconds:g} s of CPU "
                "time, or crashed the decoder; open it in a viewer and save it again"
            ) from None
        if answer.spent:
            self._replace(DecoderRestartReason.MEMORY)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def receive_objects(self, answer: Answer, request: Request) -> list[bytes]:
        """The files that an answer announces. Raises ValueError."""
        if not answer.objects:
            raise ValueError("the answer has no files")
        return [self._connection.recv_bytes(size) for size in answer.objects]

    def receive_instance(self, answer: Answer, request: Request) -> Instance:
        """The object that an answer names. Raises ValueError."""
        if answer.instance is None:
            raise ValueError("the answer names no object")
        return answer.instance

    def receive_decoded(self, answer: Answer, request: Request) -> Decoded:
        """The pixels, and the picture if one was requested. Raises ValueError."""
        if answer.input is None:
            raise ValueError("the answer does not describe the file")
        pixels = self._receive_array((1, SIZE, SIZE))
        if not request.picture:
            return Decoded(answer.input, pixels, None)
        if answer.picture is None:
            raise ValueError("the answer has no picture")
        width, height = answer.picture
        return Decoded(answer.input, pixels, Image.fromarray(self._receive_array((height, width))))

    def _receive_array(self, shape: tuple[int, ...]) -> Images:
        data = self._connection.recv_bytes(int(np.prod(shape)))
        return np.frombuffer(data, np.uint8).reshape(shape)

    def _why(self, error: Exception) -> DecoderRestartReason:
        """Why a decoder has to be replaced that has failed."""
        if isinstance(error, TimeoutError):
            return DecoderRestartReason.HUNG
        assert self._process is not None
        with _lock:
            self._process.join(_EXIT_SECONDS if isinstance(error, EOFError) else 0)
            code = self._process.exitcode
        if code is None:
            return DecoderRestartReason.WRONG_ANSWER
        if code == -signal.SIGPROF:
            return DecoderRestartReason.PROCESSOR_TIME
        return DecoderRestartReason.DIED

    def _replace(self, reason: DecoderRestartReason) -> None:
        self.end()
        logger.warning("replacing a decoder: %s", reason)
        get_metrics().decoder_restarts.labels(reason).inc()
        try:
            self.start()
        except (OSError, EOFError):  # the next file retries
            logger.exception("cannot start a decoder")


Receive = Callable[[_Decoder, Answer, Request], T]
"""Receives what follows an answer. Raises ValueError, OSError or EOFError for a wrong one."""


@cache
def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["bentos.decoding.template"])
    return context


@contextmanager
def _main_hidden() -> Iterator[None]:
    """Keeps multiprocessing from importing the main module, BentoML's worker, into decoders."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _limit_stalls(connection: Connection) -> None:
    """Sets timeouts on a connection: stalled reads and writes raise BlockingIOError."""
    limit = struct.pack("ll", int(_STALL_SECONDS), int(_STALL_SECONDS % 1 * 10**6))
    with raw(connection) as stream:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
