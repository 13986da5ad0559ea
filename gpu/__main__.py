"""Runs the tests and measurements that need a CUDA device; needs no network.

    python -m gpu --data data --output results/gpu
    python -m gpu --data data --steps parity serving
    python -m gpu --data data --miniature           # a small version, on a CPU

Every step takes at most ten minutes, writes its results, and is skipped if they exist. No step
starts after `--minutes`; the next call continues. GPU.md has all results.
"""

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gpu import parity, serving, throughput
from loadtests.rounds import commit
from training.config import read_config
from training.robustness import sample_balanced
from training.run import load_records
from training.shared_folder import DATA

ROOT = Path(__file__).parents[1]
BENTOS = ROOT / "bentos"
MODELS = tuple(
    BENTOS / name / "weights.safetensors" for name in ("xray_filter", "covid_classifier")
)
CONFIG = ROOT / "training" / "configs" / "classifier_supervised.toml"


@dataclass(frozen=True)
class Workload:
    """Size of each measurement."""

    films: int = 200
    seconds: float = 3.0  # per measurement of serving
    clients: tuple[int, ...] = serving.CLIENTS
    steps: int = 60  # per measurement of training


MINIATURE = Workload(films=6, seconds=0.3, clients=(1, 4), steps=1)


def run_tests(flags: argparse.Namespace, workload: Workload) -> tuple[Any, list[str]]:
    """Runs the tests that need a CUDA device; without one they are skipped."""
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-rA", "--color=no", "tests/gpu"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    lines = done.stdout.strip().splitlines()
    shown = [line for line in lines if line.startswith(("PASSED", "FAILED", "ERROR", "SKIPPED"))]
    found: dict[str, Any] = {
        "exit": done.returncode,
        "closing": lines[-1] if lines else done.stderr[-500:],
    }
    if done.returncode not in (0, 5):
        print(done.stdout[-6000:], done.stderr[-2000:])
    return found, [f"`{found['closing'].strip('= ')}`", "", *(f"- {line}" for line in shown)]


def measure_parity(flags: argparse.Namespace, workload: Workload) -> tuple[Any, list[str]]:
    """Compares the GPU's outputs with the CPU's, on validation images."""
    records = load_records([flags.data], read_config(CONFIG))
    films = [record.path for record in sample_balanced(records, workload.films, split="val")]
    found = parity.measure(films, MODELS, device=flags.device)
    return found, parity.render(found)


def measure_serving(flags: argparse.Namespace, workload: Workload) -> tuple[Any, list[str]]:
    """Measures the networks, the bare loop and the service."""
    found = serving.measure(device=flags.device, seconds=workload.seconds, clients=workload.clients)
    return found, serving.render(found)


def measure_training(flags: argparse.Namespace, workload: Workload) -> tuple[Any, list[str]]:
    """Measures training images per second, by batch size."""
    found = throughput.measure(flags.data, flags.cache, device=flags.device, steps=workload.steps)
    return found, throughput.render(found)


STEPS: dict[str, Callable[[argparse.Namespace, Workload], tuple[Any, list[str]]]] = {
    "tests": run_tests,
    "parity": measure_parity,
    "serving": measure_serving,
    "training": measure_training,
}


def machine(device: str) -> str:
    """Describes the machine and the sizes of the measurements."""
    name = torch.cuda.get_device_name() if device.startswith("cuda") else platform.machine()
    return f"{name}, torch {torch.__version__}, commit {commit()}"


def render(folder: Path) -> str:
    """Renders the report of all completed steps, wherever each ran."""
    lines = [
        "# What a GPU does",
        "",
        "Made by `python -m gpu`; do not edit. Research use only.",
    ]
    for name, step in STEPS.items():
        part = folder / f"{name}.md"
        if part.exists():
            heading = (step.__doc__ or name).splitlines()[0].rstrip(".")
            lines += ["", f"## {heading}", "", part.read_text().rstrip()]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default=DATA)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--steps", nargs="+", default=list(STEPS), choices=list(STEPS))
    parser.add_argument("--output", type=Path, default=ROOT / "results" / "gpu")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--minutes", type=float, default=10.0, help="after which none begins")
    parser.add_argument("--miniature", action="store_true", help="everything in small")
    flags = parser.parse_args()
    flags.output.mkdir(parents=True, exist_ok=True)
    begun, failed = time.monotonic(), []
    for name in flags.steps:
        path = flags.output / f"{name}.json"
        if path.exists() or time.monotonic() - begun > 60 * flags.minutes:
            continue
        print(f"{name} begins after {time.monotonic() - begun:.0f} s", flush=True)
        try:
            found, lines = STEPS[name](flags, MINIATURE if flags.miniature else Workload())
        except Exception as error:  # a failed step must not stop the others
            failed.append(f"{name}: {error!r}")
            continue
        path.write_text(json.dumps(found, indent=1) + "\n")
        lines = [f"On {machine(flags.device)}:", "", *lines]
        path.with_suffix(".md").write_text("\n".join(lines) + "\n")
        print("\n".join(lines), flush=True)
    (flags.output / "GPU.md").write_text(render(flags.output))
    if failed:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    main()
