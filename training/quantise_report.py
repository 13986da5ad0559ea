"""What the trials of int8 came to, for people and for programs."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chestxray import quantised
from chestxray.checkpoints import Card
from chestxray.labels import FINDINGS
from training import classifier_evaluation, engine_speed, model_card
from training.classifier_evaluation import Predictions
from training.engine_speed import MIN_RATIO, Speed
from training.fidelity import MAX_AUC_FALL, MAX_MOVED, MIN_MAP_CORRELATION, Fidelity
from training.metrics import Rate
from training.metrics import performance as performance_of
from training.quantisation import Recipe

COMMAND = "training.quantise"
_CAVEAT = (
    "This is the int8 form of the classifier: thresholds, temperature and projection are those of "
    "float32. Its answers differ a little from float32's, by how much is said below."
)


@dataclass(frozen=True)
class Trial:
    """A recipe on validation."""

    recipe: Recipe
    fidelity: Fidelity
    speed: list[Speed]

    @property
    def failed_criteria(self) -> list[str]:
        """Each limit that is missed, as a sentence."""
        return [*self.fidelity.failed_criteria, *engine_speed.failed_criteria(self.speed)]


@dataclass(frozen=True)
class HeldOutResult:
    """The chosen recipe on films that chose nothing."""

    fidelity: dict[str, Fidelity]  # by split
    performance: dict[str, Any]  # by part, as on the classifier's card
    speed: list[Speed]


@dataclass(frozen=True)
class Result:
    """All that was found; `chosen` is a number among the trials."""

    card: Card  # of float32
    float32_digest: str
    trials: list[Trial]
    chosen: int | None
    tested: HeldOutResult | None

    @property
    def failed_criteria(self) -> Iterator[str]:
        """Why nothing ships: the limits are for validation and for the longer timing."""
        if self.tested is None:
            yield "no recipe keeps within every limit"
        else:
            yield from engine_speed.failed_criteria(self.tested.speed)


def performance(test: Predictions, external: Predictions, threshold: float) -> dict[str, Any]:
    """The figures of the classifier's card, part by part; below the threshold no class is named."""
    parts = classifier_evaluation.subsets(test, external)
    found = {
        name: asdict(
            performance_of(part.probabilities, part.labels, generator=np.random.default_rng(0))
        )
        for name, part in parts.items()
    }
    return found | classifier_evaluation.answers(test, external, threshold)


def card_of(result: Result) -> Card:
    """The card of the int8 file."""
    assert result.tested is not None
    card = result.card
    return card.model_copy(
        update={
            "version": f"{card.version}-int8",
            "architecture": quantised.name_in("int8", card.architecture),
            "training": card.training | {"quantisation": _plain(result)},
            "metrics": result.tested.performance,
            "caveats": (_CAVEAT, *card.caveats),
        }
    )


def model_card_of(result: Result) -> str:
    """The card as Markdown."""
    lines = ["", "## Against float32", "", *_body(result)]
    return model_card.render(card_of(result), command=COMMAND) + "\n".join(lines) + "\n"


def write(result: Result, folder: Path) -> None:
    """Writes INT8.md and int8.json."""
    folder.mkdir(parents=True, exist_ok=True)
    heading = f"# int8 of {result.card.name} {result.card.version}"
    lines = [heading, "", f"Made by `python -m {COMMAND}`; do not edit.", "", *_body(result)]
    (folder / "INT8.md").write_text("\n".join(lines) + "\n")
    (folder / "int8.json").write_text(json.dumps(_plain(result), indent=2) + "\n")


def line(trial: Trial) -> str:
    """A trial in a line."""
    return " | ".join(_row(trial))


def _plain(result: Result) -> dict[str, Any]:
    plain = asdict(result) | {"card": f"{result.card.name} {result.card.version}"}
    for trial, found in zip(plain["trials"], result.trials, strict=True):
        trial["recipe"]["calibration"]["method"] = found.recipe.calibration.method.name
        trial["faults"] = found.failed_criteria
    return plain


def _body(result: Result) -> list[str]:
    lines = [
        "Convolutions run in int8 (ONNX Runtime's static quantisation, weights per channel, uint8",
        "activations); what the table names, and all that is no convolution, stays in float32.",
        f"float32 is {result.float32_digest}.",
        "",
        f"Limits: no class's AUC falls by more than {MAX_AUC_FALL}; no class's probability moves",
        f"by more than {MAX_MOVED} at the 99th percentile of the films; rank correlation of maps,",
        f"mean over films and classes, at least {MIN_MAP_CORRELATION}; at least {MIN_RATIO} times",
        "the images/s at every size of batch. Figures with their 95% interval (bootstrap) and n.",
        "",
        "### What was tried, on validation",
        "",
        "Ranges from training films. Of those within the limits, the one that moves probabilities",
        "least is chosen. Fall and movement are of the worst class, the ratio of the worst batch.",
        "",
        *model_card.table(_HEAD, [_row(trial) for trial in result.trials]),
        "",
    ]
    if result.chosen is None or result.tested is None:
        return [*lines, "No recipe keeps within every limit; nothing is shipped."]
    chosen = result.trials[result.chosen]
    films = {"validation": chosen.fidelity} | result.tested.fidelity
    lines += [f"Chosen: {chosen.recipe.name} in float32, {chosen.recipe.calibration.name}.", ""]
    lines += ["### The chosen one; test and external chose nothing", "", *_classes(films)]
    lines += ["", "### Images/s, turn by turn, two threads", "", *speed_table(result.tested.speed)]
    return lines


_HEAD = (
    "in float32",
    "ranges by",
    "AUC fall",
    "p99 of movement",
    "map correlation",
    "same class",
    "ratio of images/s",
    "verdict",
)


def _row(trial: Trial) -> Sequence[str]:
    found, calibration = trial.fidelity, trial.recipe.calibration
    return (
        trial.recipe.name,
        f"{calibration.name}, {calibration.films} films",
        _rate(max(found.auc_fall, key=lambda each: each.value)),
        _rate(max(found.moved, key=lambda each: each.value)),
        _rate(found.map_correlation),
        f"{found.same_class:.4f}",
        _rate(min((each.ratio for each in trial.speed), key=lambda each: each.value), 2),
        "; ".join(trial.failed_criteria) or "within the limits",
    )


def _classes(films: Mapping[str, Fidelity]) -> list[str]:
    head = ("films", "class", "AUC float32", "AUC int8", "AUC fall", "p99 of movement")
    rows = [
        (
            part,
            label,
            f"{found.auc_before[c]:.4f}",
            f"{found.auc_after[c]:.4f}",
            _rate(found.auc_fall[c]),
            _rate(found.moved[c]),
        )
        for part, found in films.items()
        for c, label in enumerate(FINDINGS)
    ]
    maps = [
        (part, _rate(f.map_correlation), f"{f.map_correlation_p5:.4f}", f"{f.same_class:.4f}")
        for part, f in films.items()
    ]
    head_of_maps = ("films", "map correlation", "a twentieth is below", "same class")
    return [*model_card.table(head, rows), "", *model_card.table(head_of_maps, maps)]


def speed_table(speed: Sequence[Speed]) -> list[str]:
    """A row for each size of batch; n is of rounds."""
    rows = [
        (str(each.batch), f"{each.before:.1f}", f"{each.after:.1f}", _rate(each.ratio, 2))
        for each in speed
    ]
    return model_card.table(("batch", "float32", "int8", "ratio"), rows)


def _rate(found: Rate, digits: int = 4) -> str:
    value, low, high = (f"{each:.{digits}f}" for each in (found.value, found.low, found.high))
    return f"{value} [{low}, {high}] (n={found.n})"
