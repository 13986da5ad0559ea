"""Starts the processes, restarts them when they exit or hang, and stops them in order.

BentoML's supervisor polls its processes every ten seconds, restarts none in a container, stops all
at once, and opens two more TCP ports (traps 8, 9, 24). This one detects an exit immediately and a
hang within seconds, listens only on the public port, and stops the models after the public
service.
"""

import asyncio
import logging
import os
import shutil
import signal
import time
from pathlib import Path

from bentos.dicom_node.queue import Queue
from bentos.logs.setup import log_loop_errors
from bentos.metric_labels import ProcessRestartReason
from bentos.metrics import create_supervisor_series, get_metrics
from bentos.process import heartbeat, machine, pids
from bentos.process.sockets import (
    CLASSIFIER_POD,
    DRAINED,
    FOLDER_MODE,
    Layout,
    open_listeners,
    run_folder,
)
from bentos.process.worker import Process
from bentos.settings import Settings
from bentos.settings_checks import variable_of
from chestxray import checkpoints
from chestxray.errors import CheckpointError

logger = logging.getLogger(__name__)

_START_SECONDS = 180.0
"""Timeout for the first heartbeat after a start: imports and weights on a slow machine."""
_BACKOFF_SECONDS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Restart back-off, by the number of consecutive failed starts."""
_MAX_FAILED_STARTS = 3
"""After this many, give up on a service that has never been up; otherwise retry forever."""
_DISK_POLL_SECONDS = 1.0
"""Polling interval while the disk is full."""
_STOP_SECONDS = 5.0
"""Grace period for an idle process to exit."""


class StartError(Exception):
    """The service cannot start; the message says why."""


class Supervisor:
    """Parent process of the public service and its models."""

    def __init__(self, layout: Layout, *, host: str, port: int, settings: Settings) -> None:
        """Raises StartError."""
        self._layout, self._settings, self._host, self._port = layout, settings, host, port
        try:
            self._folder = run_folder(port)
        except FileNotFoundError as error:  # no usable temporary folder
            raise StartError(str(error)) from error
        self._processes: list[Process] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._environment: dict[str, str] = {}
        self._stop_asked, self._cut_short = asyncio.Event(), asyncio.Event()

    async def run(self) -> None:
        """Serves until SIGTERM or SIGINT. Raises StartError."""
        self._prepare()
        try:
            self._keepers = [asyncio.create_task(self._keep(each)) for each in self._processes]
            stop = asyncio.create_task(self._stop_asked.wait())
            done, _ = await asyncio.wait(
                [stop, *self._keepers], return_when=asyncio.FIRST_COMPLETED
            )
            stop.cancel()
            for keeper in done & set(self._keepers):
                keeper.result()  # keepers only return by raising
            await self._stop()
            logger.info("stopped")
        finally:
            for keeper in self._keepers:
                keeper.cancel()
            for each in self._processes:
                each.signal(signal.SIGKILL)
                await each.end(_STOP_SECONDS)
            shutil.rmtree(self._folder, ignore_errors=True)

    def _prepare(self) -> None:
        if self._layout is CLASSIFIER_POD and not self._settings.pod_token.get_secret_value():
            raise StartError("a classifier pod needs a token; set CHESTXRAY_POD_TOKEN")
        self._open_queue()
        try:
            machine.allow_connections(self._settings.max_connections)
            digests = [checkpoints.verified_digest(*each) for each in self._settings.checkpoints]
            listeners = open_listeners(self._layout, self._folder, self._host, self._port)
            machine.check_disk_space(self._folder)
            pids.file_of(self._folder, pids.SUPERVISOR).write_text(str(os.getpid()))
            (self._folder / "metrics").mkdir(FOLDER_MODE)
        except (CheckpointError, OSError) as error:
            raise StartError(str(error)) from error
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(self._folder / "metrics")
        # A restarted model must not load a file that was replaced in the meantime.
        os.environ["CHESTXRAY_FILTER_DIGEST"], os.environ["CHESTXRAY_CLASSIFIER_DIGEST"] = digests
        # Spinning idle threads would take cores from busy ones.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        self._environment = dict(os.environ) | listeners.environment
        self._processes = listeners.processes
        create_supervisor_series(get_metrics(), [each.name for each in self._processes])
        log_loop_errors()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._ask_to_stop, signal.SIGTERM)
        loop.add_signal_handler(signal.SIGINT, self._ask_to_stop, signal.SIGINT)
        loop.add_signal_handler(signal.SIGUSR1, self._drain)

    def _open_queue(self) -> None:
        """Creates the folder of stored objects, without which the gateway would not start."""
        settings = self._settings
        if self._layout is CLASSIFIER_POD or not settings.dicom_queue:
            return
        try:
            Queue(Path(settings.dicom_queue), max_bytes=settings.dicom_max_queue_bytes)
        except OSError as error:
            raise StartError(f"{variable_of('dicom_queue')}: {error}") from error

    async def _keep(self, process: Process) -> None:
        """Starts a process and restarts it whenever it ends, until cancelled. Raises StartError."""
        was_up = False
        while not self._stop_asked.is_set():
            await asyncio.sleep(_BACKOFF_SECONDS[min(process.failures, len(_BACKOFF_SECONDS) - 1)])
            await self.wait_for_disk_space(process)
            await self._start(process)
            reason = await self._watch(process)
            was_up = was_up or process.alive
            process.failures = 0 if process.alive else process.failures + 1
            if not was_up and process.failures >= _MAX_FAILED_STARTS:
                raise StartError(f"{process.name} did not start; its own messages are above")
            if not self._stop_asked.is_set():
                logger.warning("%s %s; restarting it", process.name, reason)
                get_metrics().process_restarts.labels(process.name, reason).inc()

    async def _start(self, process: Process) -> None:
        pid = await process.start(self._environment)
        try:
            pids.file_of(self._folder, process.name).write_text(str(pid))
        except OSError as error:  # it only lacks its metrics
            logger.warning("the ID of %s cannot be written: %s", process.name, error.strerror)
        logger.info("%s started as process %d", process.name, pid)

    async def wait_for_disk_space(self, process: Process) -> None:
        """Waits until the process could write its files; on a full disk it would die again."""
        logged = False
        while True:
            try:
                machine.check_disk_space(self._folder)
                return
            except OSError as error:
                if not logged:
                    logger.error("%s; %s starts when there is disk space", error, process.name)
                logged = True
            await asyncio.sleep(_DISK_POLL_SECONDS)

    async def _watch(self, process: Process) -> ProcessRestartReason:
        """Returns why it is no more: it exited, or hung and was killed."""
        assert process.running is not None
        exited = asyncio.create_task(process.running.wait())
        hung = asyncio.create_task(self._hang(process))
        try:
            await asyncio.wait([exited, hung], return_when=asyncio.FIRST_COMPLETED)
            reason = ProcessRestartReason.EXITED if exited.done() else ProcessRestartReason.HUNG
            process.signal(signal.SIGKILL)
            await exited
        finally:
            exited.cancel()
            hung.cancel()
        process.output.flush()
        pids.file_of(self._folder, process.name).unlink(missing_ok=True)
        _forget_gauges(process.running.pid)
        return reason

    async def _hang(self, process: Process) -> None:
        """Returns when the process has missed its heartbeats for too long."""
        while True:
            checked = time.monotonic()
            limit = self._settings.heartbeat_timeout_seconds if process.alive else _START_SECONDS
            if process.silence() > limit:
                return
            await asyncio.sleep(heartbeat.SECONDS)
            if time.monotonic() - checked > limit / 2:  # the machine or this process was suspended
                process.last_sign = time.monotonic()

    def _ask_to_stop(self, number: signal.Signals) -> None:
        if self._stop_asked.is_set():
            self._cut_short.set()
        self._stop_asked.set()
        logger.info("%s: stopping", number.name)
        self._processes[-1].signal(number)  # the public service drains, then exits

    def _drain(self) -> None:
        front = self._processes[-1]
        if front.alive:
            front.signal(signal.SIGUSR1)
        else:  # not up: the signal would kill it, and there is nothing to drain
            (self._folder / DRAINED).touch()

    async def _stop(self) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        *models, front = self._processes
        front.listener.close()  # only the process's duplicate keeps the port open now
        longest = self._settings.drain_delay_seconds + self._settings.drain_timeout_seconds
        ended = asyncio.create_task(front.end(longest + _STOP_SECONDS))
        cut = asyncio.create_task(self._cut_short.wait())
        await asyncio.wait([ended, cut], return_when=asyncio.FIRST_COMPLETED)
        if self._cut_short.is_set():
            front.signal(signal.SIGKILL)
        await ended
        cut.cancel()
        for each in models:
            each.signal(signal.SIGTERM)
        await asyncio.gather(*(each.end(_STOP_SECONDS) for each in models))


def _forget_gauges(pid: int) -> None:
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(pid)  # type: ignore[no-untyped-call]
