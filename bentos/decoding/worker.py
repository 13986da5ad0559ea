"""The decoder process: decodes and preprocesses files one after another.

It also writes the DICOM objects of a result, since these take over what the file's header says, and
reads which object a DICOM file is.

The gateway does not trust the results, because a file may have compromised the process. They are
raw bytes and validated JSON, never pickle.
"""

import json
import os
import socket
import warnings
from multiprocessing.connection import Connection

from bentos.decoding.protocol import BEGUN, READY, Answer, Request, raw
from chestxray.cam import PICTURE_SIDE
from chestxray.confinement import ProcessLimits, confine, processor_time
from chestxray.dicom.identification import identify
from chestxray.dicom.study import objects
from chestxray.dicom.study.order import Order
from chestxray.errors import ImageTooCostly, RejectedImage
from chestxray.images import TOO_MUCH_MEMORY, crop_and_window, read
from chestxray.limits import Limits


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
        if request.order:
            files = objects.write(data, Order.model_validate_json(request.order), limits)
            return Answer(objects=tuple(map(len, files))), *files
        if request.identify:
            return (Answer(instance=identify(data, limits=limits)),)
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


def _silence() -> None:
    """Redirects standard streams to /dev/null: C libraries print file contents to stderr."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
    warnings.simplefilter("ignore")
