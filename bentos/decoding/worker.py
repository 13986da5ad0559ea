"""The decoder process: decodes and preprocesses files one after another.

The gateway does not trust the results, because a file may have compromised the process. They are
raw bytes and validated JSON, never pickle.
"""

import json
import os
import socket
import warnings
from multiprocessing.connection import Connection
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from chestxray.confinement import ProcessLimits, confine, processor_time
from chestxray.errors import ImageTooCostly, RejectedImage
from chestxray.images import TOO_MUCH_MEMORY, crop_and_window, read
from chestxray.limits import Limits
from chestxray.results import Input

PICTURE_SIDE = 1024
"""Longest side of the image that a heatmap is drawn over, in pixels."""
READY, BEGUN = b"ready", b"begun"
"""Sent when the process is confined, and when it has received a file completely."""


_Side = Annotated[int, Field(ge=1, le=PICTURE_SIDE)]


class Request(NamedTuple):
    """A decoding request; the size and the bytes of the file follow it."""

    media_type: str | None
    picture: bool  # whether to return an image to draw a heatmap over


class Answer(BaseModel):
    """Result of a decoding request: an error if `code` or `fault` is set, else pixels follow."""

    model_config = ConfigDict(extra="forbid")

    code: str = ""
    detail: str = ""
    facts: dict[str, int | str | None] = {}
    input: Input | None = None
    picture: tuple[_Side, _Side] | None = None  # width and height of the image after the pixels
    fault: str = Field(default="", pattern=r"^\w*$")  # type of an unexpected exception
    spent: bool = False  # whether the decoder exits because it ran out of memory


def work(connection: Connection, limits: Limits, process_limits: ProcessLimits) -> None:
    """Handles requests until the gateway closes the connection."""
    _silence()
    stream = raw(connection)
    confine(memory=process_limits.memory)
    connection.send_bytes(READY)
    spent = False
    while not spent:
        try:
            *fields, size = json.loads(connection.recv_bytes())
            data = stream.recv(size, socket.MSG_WAITALL)  # a fifth of what recv_bytes takes
        except EOFError:
            return
        connection.send_bytes(BEGUN)
        with processor_time(process_limits.seconds):
            answer, *parts = _read(data, Request(*fields), limits)
        connection.send_bytes(answer.model_dump_json().encode())
        for part in parts:
            connection.send_bytes(part)
        spent = answer.spent


def _read(data: bytes, request: Request, limits: Limits) -> tuple[Answer, *tuple[bytes, ...]]:
    try:
        film = crop_and_window(read(data, limits=limits, media_type=request.media_type))
        pixels = film.pixels.tobytes()
        if not request.picture:
            return Answer(input=film.input), pixels
        film.image.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
        return Answer(input=film.input, picture=film.image.size), pixels, film.image.tobytes()
    except RejectedImage as error:
        spent = isinstance(error.__cause__, MemoryError)
        return (Answer(code=error.code, detail=str(error), facts=vars(error), spent=spent),)
    except MemoryError:
        return (Answer(code=ImageTooCostly.code, detail=TOO_MUCH_MEMORY, spent=True),)
    except Exception as error:  # a bug; its type is enough to find it
        return (Answer(fault=type(error).__name__),)


def raw(connection: Connection) -> socket.socket:
    """Returns a duplicate of the connection's socket, which the caller must close."""
    return socket.socket(fileno=os.dup(connection.fileno()))


def _silence() -> None:
    """Redirects standard streams to /dev/null: C libraries print file contents to stderr."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
    warnings.simplefilter("ignore")
