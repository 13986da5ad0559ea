"""Decodes, filters and classifies without a server: the workload of every peer, and the bare loop.

    python -m loadtests.baseline --seconds 10 --images FOLDER

The bare loop is the upper bound for any server: single images on all cores, then batches in one
loop on all cores or in one loop per core. Prints JSON.
"""

import argparse
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from chestxray import checkpoints
from chestxray.cores import usable_cores
from chestxray.engines import Engine, Images, TorchEngine, open_engine, softmax
from chestxray.images import crop_and_window, read
from chestxray.labels import FINDINGS, VERDICTS, Verdict

BENTOS = Path(__file__).parents[1] / "bentos"
_BATCHES = (1, 2, 4, 8, 16)


class InferencePipeline:
    """Both networks and their preprocessing."""

    def __init__(self, engine: str = "onnx", threads: int = 0) -> None:
        """`engine` is onnx or torch (both on the CPU), or a torch device."""
        self._filter, self._filter_card = _open("xray_filter", engine, threads)
        self._classifier, self._classifier_card = _open("covid_classifier", engine, threads)
        self._threshold = self._filter_card.thresholds[Verdict.FRONTAL_CHEST.value]

    @property
    def networks(self) -> dict[str, Engine]:
        """Both engines, by the name in their card."""
        return {
            self._filter_card.name: self._filter,
            self._classifier_card.name: self._classifier,
        }

    def decode(self, data: bytes) -> Images:
        """Decodes and preprocesses a file to uint8 (1, SIZE, SIZE)."""
        return crop_and_window(read(data)).pixels

    def predict(self, images: Images) -> list[dict[str, Any]]:
        """Filters uint8 (B, 1, SIZE, SIZE), and classifies the images that pass."""
        logits = self._filter(images)["logits"]
        scores = softmax(logits, self._filter_card.temperature)
        predictions = [{"filter": dict(zip(VERDICTS, row.tolist(), strict=True))} for row in scores]
        valid = np.flatnonzero(scores[:, VERDICTS.index(Verdict.FRONTAL_CHEST)] >= self._threshold)
        if len(valid):
            found = self._classifier(images[valid])
            probabilities = softmax(found["logits"], self._classifier_card.temperature)
            for place, row, cams in zip(valid, probabilities, found["cam"], strict=True):
                predictions[place]["probabilities"] = dict(zip(FINDINGS, row.tolist(), strict=True))
                predictions[place]["heatmap"] = cams[row.argmax()].tolist()
        return predictions

    def predict_file(self, data: bytes) -> dict[str, Any]:
        """Decodes, filters and classifies one file."""
        return self.predict(self.decode(data)[None])[0]


def _open(model: str, engine: str, threads: int) -> tuple[Engine, checkpoints.Card]:
    checkpoint = BENTOS / model / "weights.safetensors"
    card = checkpoints.read_card(checkpoint)
    if engine != "torch":
        device = "cpu" if engine == "onnx" else engine
        return open_engine(checkpoint, card.architecture, device=device, threads=threads), card
    import torch

    from chestxray.networks import BY_ARCHITECTURE

    torch.set_num_threads(threads or usable_cores())
    return TorchEngine(checkpoint, BY_ARCHITECTURE[card.architecture](), "cpu"), card


def measure_single_images(
    pipeline: InferencePipeline, files: Sequence[bytes], seconds: float
) -> list[float]:
    """Seconds per image, one image at a time."""
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        started = time.perf_counter()
        pipeline.predict_file(files[len(times) % len(files)])
        times.append(time.perf_counter() - started)
    return times


def measure_batches(
    pipelines: Sequence[InferencePipeline], files: Sequence[bytes], batch: int, seconds: float
) -> tuple[float, float]:
    """Images per second and CPU-seconds per image, with one loop (thread) per pipeline."""
    started, used = time.perf_counter(), time.process_time()

    def loop(pipeline: InferencePipeline) -> int:
        done = 0
        while time.perf_counter() < started + seconds:
            chosen = [files[(done + i) % len(files)] for i in range(batch)]
            pipeline.predict(np.stack([pipeline.decode(data) for data in chosen]))
            done += batch
        return done

    with ThreadPoolExecutor(len(pipelines)) as pool:
        done = sum(pool.map(loop, pipelines))
    return done / (time.perf_counter() - started), (time.process_time() - used) / done


def main() -> None:
    """Measures the bare loop and prints the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="per configuration")
    parser.add_argument("--images", type=Path, required=True, help="folder of image files")
    flags = parser.parse_args()
    files = [path.read_bytes() for path in sorted(flags.images.iterdir())]
    started = time.perf_counter()
    together = InferencePipeline()
    apart = [InferencePipeline(threads=1) for _ in range(usable_cores())]
    start_seconds = (time.perf_counter() - started) / (1 + len(apart))
    for pipeline in (together, *apart):
        pipeline.predict_file(files[0])
    times = measure_single_images(together, files, flags.seconds)
    configurations = []
    for layout, pipelines in (("one loop", [together]), ("one loop per core", apart)):
        for batch in _BATCHES:
            rate, cost = measure_batches(pipelines, files, batch, flags.seconds)
            configuration = {"layout": layout, "batch": batch, "rate": rate, "cpu_seconds": cost}
            configurations.append(configuration)
    record = {
        "start_seconds": start_seconds,
        "p50": median(times),
        "p99": float(np.percentile(times, 99)),
        "configurations": configurations,
    }
    print(json.dumps(record))


if __name__ == "__main__":
    main()
