"""The analysis pipeline: decode, filter, classify, build the answer."""

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ParamSpec, Protocol, TypeVar

import numpy as np

from bentos.admission.scheduler import Scheduler, Slot
from bentos.decoding.decoders import Decoders
from bentos.decoding.protocol import Request
from bentos.gateway.image_task import Heatmaps, ImageTask
from bentos.gateway.uploads import Upload
from bentos.inference.pool import ModelPool
from bentos.inference.wire import Rows
from bentos.metric_labels import Stage, WorkStage
from bentos.metrics import get_metrics
from bentos.tracing import stage_span
from chestxray import cam
from chestxray.checkpoints import Card
from chestxray.dicom.instance import Instance
from chestxray.dicom.study.order import Algorithm, Order
from chestxray.engines import Images
from chestxray.errors import AnalysisError, CheckpointError, ModelUnavailable, NotAnXRay
from chestxray.labels import FINDINGS, VERDICTS, Finding, Verdict
from chestxray.results import DIGITS, Analysis, FilterResult, Heatmap, Prediction, Timing

P = ParamSpec("P")
R = TypeVar("R")

THRESHOLD = Verdict.FRONTAL_CHEST.value
"""The filter's threshold in its card's `thresholds`."""


class Models(Protocol):
    """Both models; each returns one row per image, in order, and raises ModelUnavailable."""

    async def judge(self, images: Images) -> Rows:
        """Asks the filter."""

    async def classify(self, images: Images) -> Rows:
        """Asks the classifier."""

    def remote_slots(self) -> int:
        """Returns how many images other machines classify at once."""


class PooledModels:
    """The models of the service, with the classifier pods."""

    def __init__(self, judge: ModelPool, classify: ModelPool, max_batch: int) -> None:
        self.judge, self.classify, self._max_batch = judge, classify, max_batch

    def remote_slots(self) -> int:
        return self.classify.pods * self._max_batch


@dataclass(frozen=True)
class Served:
    """A model as the gateway knows it: its card and the digest of its file."""

    card: Card
    digest: str


class Pipeline:
    """Everything that an analysis needs, but nothing of HTTP."""

    def __init__(
        self,
        models: Models,
        served: Sequence[Served],
        *,
        decoders: Decoders,
    ) -> None:
        self._models, self._decoders = models, decoders
        self.xray_filter, self.covid_classifier = served
        if THRESHOLD not in self.xray_filter.card.thresholds:
            raise CheckpointError("the filter's checkpoint has no threshold; evaluate it first")
        self._threads = ThreadPoolExecutor(decoders.processes, thread_name_prefix="decode")
        self._turns = Scheduler(decoders.processes, models.remote_slots)

    async def warm_up(self) -> None:
        """Returns once images can be decoded."""
        await asyncio.to_thread(self._decoders.start)

    async def analyse(
        self,
        uploads: Sequence[Upload],
        *,
        heatmap: Heatmaps,
        picture: bool = False,
    ) -> list[ImageTask]:
        """Takes every image as far as it gets; no image harms another.

        Where this is cancelled, what has not begun of the images' decoding and inference
        never does.
        """
        tasks = [ImageTask(upload) for upload in uploads]
        async with asyncio.TaskGroup() as group:
            for task in tasks:
                group.create_task(self._take(task, heatmap=heatmap, picture=picture))
        if all(isinstance(task.error, ModelUnavailable) for task in tasks):
            raise ModelUnavailable(str(tasks[0].error))
        return tasks

    async def analyse_one(self, upload: Upload, *, heatmap: Heatmaps, picture: bool) -> ImageTask:
        """Takes one image as far as it gets."""
        (task,) = await self.analyse([upload], heatmap=heatmap, picture=picture)
        return task

    async def _take(self, task: ImageTask, *, heatmap: Heatmaps, picture: bool) -> None:
        started = time.monotonic()
        try:
            with self._turns.slot() as turn:
                with _stage(Stage.DECODE, task):
                    pixels = await self._decode(task, turn, picture=picture)
                with _stage(Stage.FILTER, task):
                    (row,) = await self._models.judge(pixels)
                self._judge(task, row)
                with _stage(Stage.CLASSIFY, task):
                    (row,) = await self._models.classify(pixels)
            self._finish(task, row, started, heatmap=heatmap)
        except AnalysisError as error:
            task.error = error

    async def draw(self, task: ImageTask) -> bytes:
        """Draws the heatmap of an analysis over its picture, as PNG; raises the task's error."""
        heatmap = task.result.heatmap
        if task.drawn is not None:
            return task.drawn
        if task.picture is None or heatmap is None:
            raise ValueError("the analysis was made without picture or heatmap")
        grid = np.array(heatmap.grid, np.float32)
        with _stage(Stage.RENDER, task), self._turns.slot() as turn:
            task.drawn = await self._in_thread(turn, cam.overlay, task.picture, grid)
        return task.drawn

    async def write_picture(self, task: ImageTask) -> bytes:
        """Writes the picture of an analysis, 8-bit grey, as PNG; raises the task's error."""
        _ = task.result
        if task.picture is None:
            raise ValueError("the analysis was made without picture")
        with _stage(Stage.RENDER, task), self._turns.slot() as turn:
            return await self._in_thread(turn, cam.png, task.picture)

    async def write_objects(
        self, task: ImageTask, *, language: str, report_alone: bool
    ) -> list[bytes]:
        """Writes the DICOM objects of an analysis of a DICOM file; raises the task's error."""
        xray_filter, covid_classifier = self.algorithms(task.result)
        order = Order(
            analysis=task.result,
            xray_filter=xray_filter,
            covid_classifier=covid_classifier,
            language=language,
            report_alone=report_alone,
        )
        with _stage(Stage.RENDER, task), self._turns.slot() as turn:
            write = self._decoders.write_objects
            return await self._in_thread(turn, write, task.upload.data, order)

    def algorithms(self, analysis: Analysis) -> list[Algorithm]:
        """What a report says of the filter and the classifier that made an analysis."""
        return [algorithm(each, analysis) for each in (self.xray_filter, self.covid_classifier)]

    async def identify(self, data: bytes) -> Instance:
        """Reads which object a DICOM file is. Raises AnalysisError."""
        with self._turns.slot() as turn:
            return await self._in_thread(turn, self._decoders.identify, data)

    async def _decode(self, task: ImageTask, turn: Slot, *, picture: bool) -> Images:
        try:
            return await self._in_thread(turn, self._decode_now, task, picture)
        except asyncio.CancelledError:
            if not task.begun:
                get_metrics().dropped.labels(Stage.DECODE).inc()
            raise

    async def _in_thread(
        self, turn: Slot, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        queued, loop = time.monotonic(), asyncio.get_running_loop()
        await turn.wait()
        get_metrics().stage_seconds.labels(Stage.QUEUE).observe(time.monotonic() - queued)
        work = self._threads.submit(function, *args, **kwargs)
        work.add_done_callback(lambda _: loop.call_soon_threadsafe(turn.decoded))
        return await asyncio.wrap_future(work)

    def _decode_now(self, task: ImageTask, picture: bool) -> Images:
        task.begun = True
        decoded = self._decoders.decode(task.upload.data, Request(task.upload.media_type, picture))
        task.picture, task.input = decoded.picture, decoded.input
        return decoded.pixels[None]  # (1, 1, SIZE, SIZE)

    def _judge(self, task: ImageTask, row: np.void) -> None:
        if not row["ok"]:
            raise ModelUnavailable("the filter failed on this image")
        threshold = self.xray_filter.card.thresholds[THRESHOLD]
        task.filter = filter_result(row["probabilities"], threshold)
        get_metrics().verdicts.labels(task.filter.verdict).inc()
        if not task.filter.valid:
            raise NotAnXRay(task.filter)

    def _finish(self, task: ImageTask, row: np.void, started: float, *, heatmap: Heatmaps) -> None:
        if not row["ok"] or task.filter is None or task.input is None:
            raise ModelUnavailable("the classifier failed on this image")
        label = FINDINGS[int(row["probabilities"].argmax())]
        probabilities = dict(zip(FINDINGS, _rounded(row["probabilities"]), strict=True))
        abnormal = round(1 - probabilities[Finding.NO_FINDING], DIGITS)  # of what is shown
        get_metrics().predictions.labels(label).inc()
        for finding, probability in probabilities.items():
            get_metrics().scores.labels(finding).observe(probability)
        task.milliseconds["total"] = _milliseconds(time.monotonic() - started)
        x, y, z = _rounded(row["projection"])
        task.analysis = Analysis(
            id=uuid.uuid4().hex,
            created_at=datetime.now(UTC),
            input=task.input,
            filter=task.filter,
            prediction=Prediction(label=label, probabilities=probabilities, abnormal=abnormal),
            heatmap=_heatmap(row["cam"], label) if heatmap != "none" else None,
            heatmaps={f: _heatmap(row["cam"], f) for f in FINDINGS} if heatmap == "all" else None,
            projection=(x, y, z),
            models={s.card.name: s.digest for s in (self.xray_filter, self.covid_classifier)},
            timing_ms=Timing(**task.milliseconds),
        )


def algorithm(model: Served, analysis: Analysis) -> Algorithm:
    """What a report says of a model; a kept analysis may be of one that is served no longer."""
    name, digest = model.card.name, analysis.models[model.card.name]
    version = model.card.version if digest == model.digest else "unknown"
    return Algorithm(name=name, version=version, digest=digest)


def filter_result(probabilities: np.ndarray, threshold: float) -> FilterResult:
    """Valid means a score of frontal_chest that reaches the threshold, whatever ranks first.

    An image that is not valid is told its likeliest other verdict.
    """
    scores = dict(zip(VERDICTS, _rounded(probabilities), strict=True))
    score = scores[Verdict.FRONTAL_CHEST]  # as it is shown, so that the comparison is seen to hold
    valid = score >= threshold
    others = [verdict for verdict in VERDICTS if verdict is not Verdict.FRONTAL_CHEST]
    verdict = Verdict.FRONTAL_CHEST if valid else max(others, key=scores.__getitem__)
    return FilterResult(
        verdict=verdict,
        valid=valid,
        score=score,
        threshold=threshold,
        scores=scores,
    )


def _heatmap(cams: np.ndarray, label: Finding) -> Heatmap:
    grid = cams[FINDINGS.index(label)]
    rows = grid.astype(float).round(DIGITS)
    return Heatmap(label=label, grid=rows.tolist(), range=(rows.min(), rows.max()))


def _rounded(values: np.ndarray) -> list[float]:
    return values.astype(float).round(DIGITS).tolist()  # type: ignore[no-any-return]


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)


@contextmanager
def _stage(stage: WorkStage, task: ImageTask) -> Iterator[None]:
    started = time.monotonic()
    gauge = get_metrics().in_flight.labels(stage)
    gauge.inc()
    try:
        with stage_span(stage):
            yield
    finally:
        gauge.dec()
        seconds = time.monotonic() - started
        get_metrics().stage_seconds.labels(stage).observe(seconds)
        task.milliseconds[stage] = _milliseconds(seconds)
