"""Two processes train like one; an interrupted run ends like an uninterrupted one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch

from chestxray import checkpoints
from chestxray.networks import XRayFilterNet
from tests.collection import write_small_config
from tests.conftest import ROOT
from tests.unit.training.two_processes import train
from training import run, train_filter
from training.distributed import SINGLE_PROCESS
from training.engine import STATE

ALONE = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
"""One thread each, since the order of sums changes their rounding."""


def command(module: list[str], phantoms: Path, config: Path, output: Path) -> list[str]:
    where = ["--data", phantoms, "--config", config, "--output", output, "--device", "cpu"]
    return [sys.executable, "-m", *module, *map(str, where)]


def test_two_processes_train_the_same_weights_as_one(phantoms: Path, tmp_path: Path) -> None:
    config = write_small_config(train_filter.CONFIG, tmp_path / "filter.toml")
    torchrun = ["torch.distributed.run", "--nproc-per-node=2", "--standalone"]
    script = [str(ROOT / "tests" / "unit" / "training" / "two_processes.py"), str(tmp_path)]

    found = subprocess.run(
        command([*torchrun, *script], phantoms, config, tmp_path),
        env=ALONE | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert found.returncode == 0, found.stderr
    checkpoints.load(tmp_path / "filter" / run.BEST, XRayFilterNet())
    ranks = [torch.load(tmp_path / f"rank{i}.pt", weights_only=True) for i in (0, 1)]
    alone = train(SINGLE_PROCESS, tmp_path).state_dict()
    for name, weights in alone.items():
        assert torch.equal(ranks[0][name], ranks[1][name])
        assert torch.allclose(ranks[0][name], weights, atol=1e-6)


def test_killed_and_resumed_run_ends_like_an_uninterrupted_one(
    phantoms: Path, tmp_path: Path
) -> None:
    config = write_small_config(
        train_filter.CONFIG, tmp_path / "filter.toml", epochs=4, steps_per_epoch=2
    )
    unbroken, killed = (
        [*command(["training.train_filter"], phantoms, config, tmp_path / name), "--resume"]
        for name in ("unbroken", "killed")
    )
    quiet = {"env": ALONE, "cwd": ROOT, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

    subprocess.run(unbroken, check=True, timeout=300, **quiet)  # type: ignore[call-overload]
    first = subprocess.Popen(killed, **quiet)  # type: ignore[call-overload]
    while not (tmp_path / "killed" / "filter" / STATE).exists():
        assert first.poll() is None
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    epochs = len(torch.load(tmp_path / "killed" / "filter" / STATE)["history"])
    subprocess.run(killed, check=True, timeout=300, **quiet)  # type: ignore[call-overload]

    assert epochs < 4
    states = [torch.load(tmp_path / name / "filter" / STATE) for name in ("unbroken", "killed")]
    for part in ("network", "average"):
        for name, weights in states[0][part].items():
            assert torch.equal(weights, states[1][part][name]), name
