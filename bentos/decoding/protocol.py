"""What the gateway and its decoders send each other; without the decoders' imports."""

import os
import socket
from multiprocessing.connection import Connection
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from chestxray.cam import PICTURE_SIDE
from chestxray.confinement import ProcessLimits
from chestxray.dicom.instance import Instance
from chestxray.limits import Limits
from chestxray.results import Input

READY, BEGUN = b"ready", b"begun"
"""Sent when the process is confined, and when it has received a file completely."""

_Side = Annotated[int, Field(ge=1, le=PICTURE_SIDE)]
_ObjectSize = Annotated[int, Field(ge=1, le=64 * 2**20)]


class Request(NamedTuple):
    """What to do with a file, whose size and bytes follow."""

    media_type: str | None = None
    picture: bool = False  # whether to return an image to draw a heatmap over
    order: str = ""  # for the objects of an analysis instead of pixels: an Order as JSON
    identify: bool = False  # whether to return which DICOM object it is instead of pixels


class Answer(BaseModel):
    """Result of a decoding request: an error if `code` or `fault` is set, else what was asked for
    follows."""

    model_config = ConfigDict(extra="forbid")

    code: str = ""
    detail: str = ""
    facts: dict[str, int | str | None] = {}
    input: Input | None = None
    picture: tuple[_Side, _Side] | None = None  # width and height of the image after the pixels
    objects: tuple[_ObjectSize, ...] = ()  # bytes of each file that follows
    instance: Instance | None = None  # nothing follows
    fault: str = Field(default="", pattern=r"^\w*$")  # type of an unexpected exception
    spent: bool = False  # whether the decoder exits because it ran out of memory


def work(connection: Connection, limits: Limits, process_limits: ProcessLimits) -> None:
    """Runs a decoder, in a process whose fork server has imported what that needs."""
    from bentos.decoding import worker

    worker.work(connection, limits, process_limits)


def raw(connection: Connection) -> socket.socket:
    """Returns a duplicate of the connection's socket, which the caller must close."""
    return socket.socket(fileno=os.dup(connection.fileno()))
