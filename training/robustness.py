"""Measures the effect of formats, sizes, windowing and other changes on the predictions.

    python -m training.robustness --films 100 --results results

Writes images of the test split to files, once for each change (training/perturbations.py), and
decodes them with the serving code. `moved` is the largest change among an image's three
probabilities; `flipped` is the share of images whose most probable class changes. Both concern the
classifier alone, whatever the filter decides, whose verdicts are reported separately. Images
rejected for their size are evaluated all the same, to show what the limit is for.
"""

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from tqdm import tqdm

from chestxray import checkpoints
from chestxray.checkpoints import Card
from chestxray.cores import usable_cores
from chestxray.errors import RejectedImage
from chestxray.images import crop_and_window, read
from chestxray.labels import FINDINGS, VERDICTS, Verdict
from chestxray.networks import CovidClassifierNet, Network, XRayFilterNet
from training.cache import Pixels
from training.config import parse_config
from training.datasets.records import Record
from training.metrics import Rate, wilson
from training.model_card import rate, table
from training.perturbations import HARMLESS, OTHER
from training.run import add_data_flags, load_records

BENTOS = Path(__file__).parents[1] / "bentos"
AS_IS = "as it is"
_CHANGES = HARMLESS | OTHER
_BATCH = 32

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ChangeEffect:
    """Effect of a change on the predictions."""

    change: str
    harmless: bool
    mean: float  # of the largest change of a probability
    most: float
    flipped: Rate
    refused: Rate  # by the decoder or the filter
    by: dict[str, int]  # reasons: problem codes and verdicts


def perturbed_inputs(path: Path, seed: int) -> list[tuple[Pixels, str]]:
    """Network inputs (1, SIZE, SIZE) of an image and of each changed version, with the error code
    that the service would return.
    """
    original = path.read_bytes()
    with Image.open(path) as opened:
        film = opened.convert("L")
    generator = np.random.default_rng(seed)
    return [
        _preprocess(original),
        *(_preprocess(change(film, generator)) for change in _CHANGES.values()),
    ]


def _preprocess(data: bytes) -> tuple[Pixels, str]:
    raw, code = read(data), ""
    try:
        crop_and_window(raw)
    except RejectedImage as error:
        code = error.code
    return crop_and_window(raw, least_side=0).pixels, code


def sample_balanced(records: Sequence[Record], count: int, *, split: str = "test") -> list[Record]:
    """Samples images of a split, as balanced over classes and sources as possible."""
    films = [r for r in records if r.split == split and r.label in FINDINGS]
    order = np.random.default_rng(0).permutation(len(films))
    turn: Counter[tuple[str, str]] = Counter()
    ranks = {}
    for i in order:
        key = films[i].label, films[i].dataset
        ranks[int(i)] = turn[key]
        turn[key] += 1
    return [films[i] for i in sorted(ranks, key=lambda i: ranks[i])[:count]]


@torch.inference_mode()
def _scores(network: Network, card: Card, pixels: Pixels) -> _Floats:
    """Probabilities as served, (N, C)."""
    parts = [
        network(torch.from_numpy(pixels[start : start + _BATCH]).float())
        for start in range(0, len(pixels), _BATCH)
    ]
    logits = torch.cat([p if isinstance(p, torch.Tensor) else p.logits for p in parts]).double()
    return np.asarray((logits / card.temperature).softmax(dim=1).numpy())


def compare(
    before: _Floats, after: _Floats, change: str, rejections: Sequence[str]
) -> ChangeEffect:
    """Compares probabilities (N, 3) of images with those of their changed versions."""
    moved = np.abs(after - before).max(axis=1)
    flips = int((after.argmax(axis=1) != before.argmax(axis=1)).sum())
    by = Counter(reason for reason in rejections if reason)
    return ChangeEffect(
        change,
        change in HARMLESS,
        float(moved.mean()),
        float(moved.max()),
        wilson(flips, len(moved)),
        wilson(by.total(), len(moved)),
        dict(by),
    )


def measure(
    paths: Sequence[Path], classifier: tuple[Network, Card], filter_: tuple[Network, Card]
) -> list[ChangeEffect]:
    """Evaluates every change of every image; rejections of the unchanged images come first."""
    with ProcessPoolExecutor(usable_cores()) as pool:
        found = pool.map(perturbed_inputs, paths, range(len(paths)), chunksize=2)
        films = list(tqdm(found, total=len(paths), desc="change", unit="film"))
    names, threshold = [AS_IS, *_CHANGES], filter_[1].thresholds[Verdict.FRONTAL_CHEST]
    effects, before = [], np.empty(0)
    for place, name in enumerate(tqdm(names, desc="read", unit="change")):
        pixels = np.stack([film[place][0] for film in films])
        verdicts = _scores(*filter_, pixels)
        rejections = [
            film[place][1] or _rejection(row, threshold)
            for film, row in zip(films, verdicts, strict=True)
        ]
        after = _scores(*classifier, pixels)
        before = after if name == AS_IS else before
        effects.append(compare(before, after, name, rejections))
    return effects


def _rejection(scores: _Floats, threshold: float) -> str:
    """The filter's verdict if it rejects, else empty."""
    valid = scores[VERDICTS.index(Verdict.FRONTAL_CHEST)] >= threshold
    return "" if valid else str(VERDICTS[int(scores.argmax())])


def render(effects: Sequence[ChangeEffect]) -> list[str]:
    """Renders the table as Markdown."""
    head = ("change", "moved, mean", "moved, most", "flipped", "refused", "by")
    return table(
        head,
        [
            (
                f"**{m.change}**" if not m.harmless and m.change != AS_IS else m.change,
                f"{m.mean:.3f}",
                f"{m.most:.3f}",
                rate(asdict(m.flipped)),
                rate(asdict(m.refused)),
                ", ".join(f"{name} {count}" for name, count in m.by.items()),
            )
            for m in effects
        ],
    )


def _open(path: Path, network: Network) -> tuple[Network, Card]:
    return checkpoints.load(path, network).eval(), checkpoints.read_card(path)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    weights = "weights.safetensors"
    parser.add_argument(
        "checkpoint", type=Path, nargs="?", default=BENTOS / "covid_classifier" / weights
    )
    parser.add_argument("--filter", type=Path, default=BENTOS / "xray_filter" / weights)
    add_data_flags(parser)
    parser.add_argument("--films", type=int, default=100)
    parser.add_argument("--results", type=Path, help="folder that gets the table")
    flags = parser.parse_args()
    classifier = _open(flags.checkpoint, CovidClassifierNet())
    config = parse_config(classifier[1].training["config"])
    films = sample_balanced(load_records(flags.data, config), flags.films)
    effects = measure(
        [film.path for film in films], classifier, _open(flags.filter, XRayFilterNet())
    )
    print("\n".join(lines := render(effects)))
    if flags.results:
        folder = flags.results / config.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "robustness.md").write_text("\n".join([*_title(len(films)), *lines]) + "\n")
        found = json.dumps([asdict(m) for m in effects], indent=2)
        (folder / "robustness.json").write_text(found + "\n")


def _title(films: int) -> list[str]:
    return [
        "# What changes of the file do to the answer",
        "",
        f"Made by `python -m training.robustness --films {films} --results results`; what stands "
        "there is said in that module. Changes in bold are no harmless ones. Research use only.",
        "",
    ]


if __name__ == "__main__":
    main()
