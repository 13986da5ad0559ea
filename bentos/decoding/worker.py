"""What runs in a decoder's process: one file after the other, each to what the networks see.

The gateway does not trust what comes back (a file may have taken the process over), so it is plain
numbers and text, never a pickle.
"""

import json
import os
import socket
import warnings
from multiprocessing.connection import Connection
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from chestxray.confinement import Wall, confine, processor_time
from chestxray.errors import ImageTooCostly, RejectedImage
from chestxray.images import TOO_MUCH_MEMORY, Limits, develop, read
from chestxray.preprocessing import prepare
from chestxray.results import Input

PICTURE_SIDE = 1024
"""Longest side of the picture that a heatmap is drawn over, in pixels."""
READY, BEGUN = b"ready", b"begun"
"""Said once the process is confined, and once a file has come whole."""


_Side = Annotated[int, Field(ge=1, le=PICTURE_SIDE)]


class Request(NamedTuple):
    """What is asked of a decoder; their number and the bytes of the file follow it."""

    media_type: str | None
    picture: bool  # whether one is wanted, to draw over


class Answer(BaseModel):
    """What became of a file: an error of ours where `code` says which; else pixels follow."""

    model_config = ConfigDict(extra="forbid")

    code: str = ""
    detail: str = ""
    facts: dict[str, int | str | None] = {}
    input: Input | None = None
    picture: tuple[_Side, _Side] | None = None  # width and height of what follows the pixels
    fault: str = Field(default="", pattern=r"^\w*$")  # an exception that should not have been
    spent: bool = False  # whether the decoder ends, as memory was short


def work(connection: Connection, limits: Limits, wall: Wall) -> None:
    """Answers until the gateway closes the connection."""
    _silence()
    stream = raw(connection)
    confine(memory=wall.memory)
    connection.send_bytes(READY)
    spent = False
    while not spent:
        try:
            *fields, size = json.loads(connection.recv_bytes())
            data = stream.recv(size, socket.MSG_WAITALL)  # a fifth of what recv_bytes takes
        except EOFError:
            return
        connection.send_bytes(BEGUN)
        with processor_time(wall.seconds):
            answer, *parts = _read(data, Request(*fields), limits)
        connection.send_bytes(answer.model_dump_json().encode())
        for part in parts:
            connection.send_bytes(part)
        spent = answer.spent


def _read(data: bytes, request: Request, limits: Limits) -> tuple[Answer, *tuple[bytes, ...]]:
    try:
        film = develop(read(data, limits=limits, media_type=request.media_type))
        pixels = prepare(film.image).tobytes()
        if not request.picture:
            return Answer(input=film.input), pixels
        film.image.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
        return Answer(input=film.input, picture=film.image.size), pixels, film.image.tobytes()
    except RejectedImage as error:
        spent = isinstance(error.__cause__, MemoryError)
        return (Answer(code=error.code, detail=str(error), facts=vars(error), spent=spent),)
    except MemoryError:
        return (Answer(code=ImageTooCostly.code, detail=TOO_MUCH_MEMORY, spent=True),)
    except Exception as error:  # a fault of ours, which its type is enough to find
        return (Answer(fault=type(error).__name__),)


def raw(connection: Connection) -> socket.socket:
    """The socket under a connection, which is another one's to close."""
    return socket.socket(fileno=os.dup(connection.fileno()))


def _silence() -> None:
    """Libraries write to standard error what they read in a file, past Python."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
    warnings.simplefilter("ignore")
