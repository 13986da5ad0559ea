"""Makes the classifier's int8 form, compares it with float32, and ships it if it is good.

    python -m training.quantise --ship bentos/covid_classifier --report results
    python -m training.quantise --speed

Ranges come from training films, the choice among the recipes (training/quantisation.py) from
validation films: of those that keep within every limit, the one that moves probabilities least.
The test split and the external set are read once, by what was chosen. Where no recipe keeps within
the limits the command fails and ships nothing. `--speed` times what is shipped, on noise.
"""

import argparse
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from safetensors.numpy import load_file

from chestxray import checkpoints, quantised
from chestxray.engines import GRAPHS, Images, OnnxEngine, Outputs
from chestxray.networks import CovidClassifierNet
from chestxray.preprocessing import SIZE
from training import engine_speed, fidelity, quantisation, quantise_report
from training.answers import INDETERMINATE
from training.classifier_evaluation import Predictions
from training.evaluate import WEIGHTS, open_evaluation_set
from training.evaluation_set import EvaluationSet
from training.examples import Examples
from training.quantisation import RECIPES, Recipe
from training.quantise_report import HeldOutResult, Result, Trial
from training.train_classifier import examples

CHECKPOINT = Path("bentos/covid_classifier") / WEIGHTS
ARCHITECTURE = CovidClassifierNet.architecture
INT8 = quantised.name_in("int8", ARCHITECTURE)
WEIGHTS_INT8 = quantised.file_in("int8", Path(WEIGHTS)).name
THREADS = 2
_TRIAL_ROUNDS, _ROUNDS = 10, 40
_BATCH = 16


@dataclass(frozen=True)
class TrialSetup:
    """What every recipe is evaluated on."""

    evaluation_set: EvaluationSet
    float32: OnnxEngine
    prepared: Path
    films: Images  # of training
    held: Examples  # of validation
    expected: Outputs  # of those

    @classmethod
    def open(cls, evaluation_set: EvaluationSet, checkpoint: Path, folder: Path) -> "TrialSetup":
        train, held = (examples(evaluation_set.records, s, power=1.0) for s in ("train", "val"))
        most = max(recipe.calibration.films for recipe in RECIPES)
        float32 = OnnxEngine(checkpoint, ARCHITECTURE, threads=THREADS)
        return cls(
            evaluation_set=evaluation_set,
            float32=float32,
            prepared=quantisation.prepare(GRAPHS / f"{ARCHITECTURE}.onnx", checkpoint, folder),
            films=evaluation_set.pixels[quantisation.sample_rows(train.rows, most)][:, None],
            held=held,
            expected=run_engine(float32, evaluation_set, held),
        )


def run_engine(engine: OnnxEngine, evaluation_set: EvaluationSet, chosen: Examples) -> Outputs:
    """Runs an engine on the examples."""
    parts = np.array_split(chosen.rows, max(1, len(chosen) // _BATCH))
    outputs = [engine(evaluation_set.pixels[rows][:, None]) for rows in parts]
    return {name: np.concatenate([each[name] for each in outputs]) for name in outputs[0]}


def build_engine(setup: TrialSetup, recipe: Recipe, folder: Path) -> OnnxEngine:
    """Writes a recipe's graph and checkpoint into the folder, and opens them."""
    model = quantisation.quantise(setup.prepared, recipe, setup.films)
    weights = quantisation.extract_weights(model)
    card = setup.evaluation_set.card.model_copy(update={"architecture": INT8})
    checkpoints.save_arrays(folder / WEIGHTS_INT8, weights, card)
    (folder / f"{INT8}.onnx").write_bytes(model.SerializeToString(deterministic=True))
    return OnnxEngine(folder / WEIGHTS_INT8, INT8, threads=THREADS, graphs=folder)


def run_trial(setup: TrialSetup, recipe: Recipe, engine: OnnxEngine) -> Trial:
    """Evaluates a recipe on validation."""
    temperature, answers = (
        setup.evaluation_set.card.temperature,
        run_engine(engine, setup.evaluation_set, setup.held),
    )
    return Trial(
        recipe,
        fidelity.compare(setup.expected, answers, setup.held.targets, temperature),
        engine_speed.compare(setup.float32, engine, setup.films, rounds=_TRIAL_ROUNDS),
    )


def run_trials(setup: TrialSetup, folder: Path) -> list[Trial]:
    """Evaluates every recipe, each in a folder of its number."""
    trials = []
    for number, recipe in enumerate(RECIPES):
        made = folder / str(number)
        made.mkdir()
        trials.append(run_trial(setup, recipe, build_engine(setup, recipe, made)))
        print(quantise_report.line(trials[-1]), flush=True)
    return trials


def choose(trials: list[Trial]) -> int | None:
    """Of those that keep within every limit, the number of the one that moves probabilities least;
    None where none does.
    """
    good = [number for number, trial in enumerate(trials) if not trial.failed_criteria]
    return min(good, key=lambda number: trials[number].fidelity.most_moved, default=None)


def measure(setup: TrialSetup, made: Path) -> HeldOutResult:
    """Reads the test split and the external set, which chose nothing, and times at length."""
    engine = OnnxEngine(made / WEIGHTS_INT8, INT8, threads=THREADS, graphs=made)
    evaluation_set, parts, answered = setup.evaluation_set, {}, {}
    temperature = evaluation_set.card.temperature
    for split in ("test", "external"):
        chosen = examples(evaluation_set.records, split, power=1.0)
        before, after = (
            run_engine(each, evaluation_set, chosen) for each in (setup.float32, engine)
        )
        parts[split] = fidelity.compare(before, after, chosen.targets, temperature)
        records = [evaluation_set.records[row] for row in chosen.rows]
        logits = torch.from_numpy(after["logits"]).double()
        answered[split] = Predictions(records, chosen.targets, logits, temperature)
    speed = engine_speed.compare(setup.float32, engine, setup.films, rounds=_ROUNDS)
    threshold = evaluation_set.card.thresholds[INDETERMINATE]
    found = quantise_report.performance(answered["test"], answered["external"], threshold)
    return HeldOutResult(parts, found, speed)


def ship(result: Result, made: Path, folder: Path) -> None:
    """Writes checkpoint, digest and card beside the service, and the graph beside the others."""
    target, card = folder / WEIGHTS_INT8, quantise_report.card_of(result)
    checkpoints.save_arrays(target, load_file(made / WEIGHTS_INT8), card)
    checkpoints.write_digest(target)
    (folder / "MODEL_CARD_INT8.md").write_text(quantise_report.model_card_of(result))
    shutil.copyfile(made / f"{INT8}.onnx", GRAPHS / f"{INT8}.onnx")


def benchmark_shipped(folder: Path) -> str:
    """Times both precisions of what is shipped, on noise."""
    shape = (max(engine_speed.BATCHES), 1, SIZE, SIZE)
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    float32 = OnnxEngine(folder / WEIGHTS, ARCHITECTURE, threads=THREADS)
    int8 = OnnxEngine(folder / WEIGHTS_INT8, INT8, threads=THREADS)
    speed = engine_speed.compare(float32, int8, noise, rounds=_ROUNDS)
    return "\n".join(quantise_report.speed_table(speed))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", default=["../shared/data"])
    parser.add_argument("--output", type=Path, default=Path("runs"))
    parser.add_argument("--ship", type=Path, help="folder of the service that gets the model")
    parser.add_argument("--report", type=Path, help="folder of the reports")
    parser.add_argument("--speed", action="store_true", help="only time what is shipped")
    flags = parser.parse_args()
    quantised.check_cpu()
    if flags.speed:
        print(benchmark_shipped(CHECKPOINT.parent))
        return
    evaluation_set = open_evaluation_set(
        CHECKPOINT, flags.data, flags.output / "cache", torch.device("cpu")
    )
    with TemporaryDirectory() as name:
        folder = Path(name)
        setup = TrialSetup.open(evaluation_set, CHECKPOINT, folder)
        trials = run_trials(setup, folder)
        chosen = choose(trials)
        tested = None if chosen is None else measure(setup, folder / str(chosen))
        result = Result(evaluation_set.card, checkpoints.digest(CHECKPOINT), trials, chosen, tested)
        if flags.report:
            quantise_report.write(result, flags.report / "int8")
        if failed_criteria := list(result.failed_criteria):
            sys.exit("nothing is shipped: " + "; ".join(failed_criteria))
        if flags.ship and chosen is not None:
            ship(result, folder / str(chosen), flags.ship)


if __name__ == "__main__":
    main()
