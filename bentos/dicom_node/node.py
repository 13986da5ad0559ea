"""The DICOM node: receives objects, has the service analyse them, and sends the results.

One process, beside a service that it reaches by HTTP. It decodes nothing itself.
"""

import logging
import os
import signal
import time
from contextlib import closing
from pathlib import Path

from bentos.dicom_node.c_store import DicomNode
from bentos.dicom_node.destinations import Destination
from bentos.dicom_node.metrics import Metrics
from bentos.dicom_node.queue import Queue
from bentos.dicom_node.receiver import Receiver
from bentos.dicom_node.stow import DicomWebService
from bentos.dicom_node.worker import Worker
from bentos.settings import Settings
from bentos.settings_checks import variable_of
from chestxray.client import Client

logger = logging.getLogger(__name__)

_STOPS = (signal.SIGTERM, signal.SIGINT)
_REQUIRED = ("dicom_queue", "dicom_peers", "dicom_destination")


def missing(settings: Settings) -> list[str]:
    """A line for each setting that the node needs and that is empty."""
    return [f"{variable_of(each)} is empty" for each in _REQUIRED if not getattr(settings, each)]


def run(settings: Settings, *, host: str, port: int, metrics_port: int | None) -> None:
    """Runs until SIGTERM or SIGINT, finishes what is begun within the drain timeout, and exits.

    Raises QueueLocked, or OSError where a port is taken or a file cannot be read or written.
    """
    # Before any thread starts: all inherit the mask. A handler runs in the main thread only, which
    # sleeps on where the kernel gives the signal to another thread.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    queue = Queue(Path(settings.dicom_queue), max_bytes=settings.dicom_max_queue_bytes)
    metrics = Metrics(queue, max_bytes=settings.dicom_max_queue_bytes)
    if metrics_port is not None:
        metrics.serve(host, metrics_port)
    key = settings.dicom_service_key.get_secret_value()
    with (
        queue.taken(),
        Client(settings.dicom_service, api_key=key or None) as client,
        closing(destination(settings)) as archive,
    ):
        worker = Worker(settings, queue, metrics, client, archive)
        receiver = Receiver(settings, queue, metrics, host=host, port=port)
        worker.start()
        logger.info("%s listens on port %s", settings.dicom_ae_title, receiver.port)
        signal.sigwait(_STOPS)
        logger.info("stopping: associations and objects that were begun are finished")
        end = time.monotonic() + settings.drain_timeout_seconds
        receiver.close(settings.drain_timeout_seconds)
        worker.close(max(0.0, end - time.monotonic()))
    # pynetdicom's threads are no daemons: that of a silent peer or archive would keep the process.
    logging.shutdown()
    os._exit(0)


def destination(settings: Settings) -> Destination:
    """Where results are sent. Raises OSError where a file of TLS cannot be read."""
    if node := settings.dicom_node:
        return DicomNode(node, settings)
    return DicomWebService(settings.dicom_destination, settings)
