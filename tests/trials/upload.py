"""What the page sends of a large photograph is answered like the photograph itself.

    python -m tests.trials.upload --data ../shared/data

Each film of the external set becomes a photograph of twelve megapixels with a sensor's noise. A
Chromium chooses it on the page; the answer to the copy that the page sends is compared with the
service's answer to the whole photograph. Labels are not read: this says nothing of who is right.
"""

import argparse
import csv
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
from PIL import Image
from playwright.sync_api import Browser, expect, sync_playwright
from tqdm import tqdm

from tests.browser import page_actions
from tests.browser.chromium import PATIENCE_MS, chromium, visiting
from tests.browser.relay import Relay, run_relay
from tests.service.server import Server, serve
from tests.trials.table import Table

_MEGAPIXELS = 12e6
_NOISE = 3.0  # standard deviation, in grey levels of 256: a photograph has about 2 MB then
_QUALITY = 92  # of the photograph's JPEG
_WANTED_CHANGE = 0.02


@dataclass(frozen=True)
class Pair:
    """The service's answers to a photograph and to the page's copy, and their sizes in bytes."""

    whole: dict[str, object]
    copy: dict[str, object]
    whole_bytes: int
    copy_bytes: int

    @property
    def is_same_verdict(self) -> bool:
        return _verdict(self.whole) == _verdict(self.copy)

    @property
    def change(self) -> float | None:
        """The largest change of a class's probability; None where one was rejected."""
        whole, copy = (_probabilities(answer) for answer in (self.whole, self.copy))
        if whole is None or copy is None:
            return None
        return max(abs(whole[name] - copy[name]) for name in whole)


def _verdict(answer: dict[str, object]) -> object:
    found = answer["filter"]
    assert isinstance(found, dict)
    return found["verdict"]


def _probabilities(answer: dict[str, object]) -> dict[str, float] | None:
    prediction = answer.get("prediction")
    return prediction["probabilities"] if isinstance(prediction, dict) else None


def photographs(data: Path, count: int | None, folder: Path) -> Iterator[Path]:
    """Writes the photograph of each film; the caller deletes it."""
    with (data / "manifest_external.csv").open() as rows:
        films = [row["path"] for row in csv.DictReader(rows) if "/filter/" not in row["path"]]
    for number, name in enumerate(films[:count]):
        with Image.open(data / name) as film:
            scale = (_MEGAPIXELS / (film.width * film.height)) ** 0.5
            size = round(film.width * scale), round(film.height * scale)
            enlarged = np.asarray(film.convert("L").resize(size, Image.Resampling.BICUBIC))
        noise = np.random.default_rng(number).normal(0, _NOISE, enlarged.shape)
        path = folder / f"{number}.jpg"
        grey = np.clip(enlarged + noise, 0, 255).round().astype(np.uint8)
        Image.fromarray(grey).save(path, quality=_QUALITY)
        yield path


def compare(browser: Browser, relay: Relay, server: Server, photograph: Path) -> Pair:
    """Has one photograph analysed by the page, and by the service."""
    with visiting(browser, relay.url, expecting="422") as page:
        page_actions.choose_files(page, photograph)
        expect(page.locator("#result .bars, #result .problem")).to_be_visible()
    data = photograph.read_bytes()
    headers = {"Content-Type": "image/jpeg"}
    whole = httpx.post(f"{server.url}/v1/analyses", content=data, headers=headers, timeout=60)
    return Pair(whole.json(), json.loads(relay.answers[-1]), len(data), len(relay.bodies[-1]))


def trial(server: Server, data: Path, count: int | None) -> Table:
    """Compares the answers for every film."""
    pairs: list[Pair] = []
    expect.set_options(timeout=PATIENCE_MS)
    with (
        tempfile.TemporaryDirectory() as name,
        sync_playwright() as playwright,
        chromium(playwright) as browser,
        run_relay(server.url) as relay,
    ):
        for photograph in tqdm(photographs(data, count, Path(name)), unit=" films"):
            pairs.append(compare(browser, relay, server, photograph))
            photograph.unlink()
    return _table(pairs)


def _table(pairs: list[Pair]) -> Table:
    changes = [pair.change for pair in pairs if pair.change is not None]
    differing = sum(not pair.is_same_verdict for pair in pairs)
    wholes, copies = ([getattr(p, f"{kind}_bytes") for p in pairs] for kind in ("whole", "copy"))
    how = f"{len(pairs)} films of the external set as photographs of 12 megapixels."
    table = Table("upload", how)
    table.add("photograph, median kB", float(np.median(wholes)) / 1000)
    table.add("sent by the page, median kB", float(np.median(copies)) / 1000)
    table.add("sent by the page, largest kB", max(copies) / 1000)
    table.add("films with another verdict of the filter", differing, "0", met=differing == 0)
    table.add("films whose probabilities were compared", len(changes))
    table.add("change of a probability, median", float(np.median(changes)))
    wanted = f"<= {_WANTED_CHANGE}"
    table.add("largest change of one", max(changes), wanted, met=max(changes) <= _WANTED_CHANGE)
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--films", type=int, help="only so many")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, serve(Path(folder)) as running:
        found = trial(running, flags.data, flags.films)
    found.write()
    print(found.render())
    sys.exit(not found.met)
