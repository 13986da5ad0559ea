"""Training loop: epochs, validation, best weights, and resumption after an interruption."""

import csv
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from training.config import TrainConfig
from training.distributed import SINGLE_PROCESS, ProcessGroup
from training.examples import Batch

STATE = "state.pt"
HISTORY = "history.csv"
TENSORBOARD = "tensorboard"

Item = TypeVar("Item")


class Step(NamedTuple):
    """Loss and accuracy of one batch."""

    loss: Tensor  # scalar
    hits: Tensor  # bool (B,): whether the most probable class is correct


class Validation(NamedTuple):
    """Metrics after every epoch; the lowest loss is the best."""

    loss: float
    accuracy: float = math.nan


Loss = Callable[[nn.Module, Batch], Step]


@dataclass(frozen=True)
class Epoch:
    """One row of the learning curve."""

    epoch: int
    train_loss: float
    val_loss: float
    learning_rate: float
    images_per_second: float
    train_accuracy: float = math.nan
    val_accuracy: float = math.nan
    waiting: float = math.nan  # share of the time spent waiting for data


class Trainer:
    """The complete mutable state of a run, to save and resume it."""

    def __init__(
        self,
        network: nn.Module,
        config: TrainConfig,
        device: torch.device,
        fingerprint: str = "",
        process_group: ProcessGroup = SINGLE_PROCESS,
    ) -> None:
        self.config, self.device, self.fingerprint = config, device, fingerprint
        self.process_group = process_group
        self.network: nn.Module = network.to(  # type: ignore[call-overload]
            device, memory_format=torch.channels_last
        )
        self._ddp_network = process_group.wrap_ddp(self.network)
        self.optimizer = torch.optim.AdamW(
            network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        average = get_ema_multi_avg_fn(config.ema_decay)  # type: ignore[no-untyped-call]
        self.average = AveragedModel(self.network, multi_avg_fn=average, use_buffers=True)
        self.history: list[Epoch] = []

    @property
    def ema_model(self) -> nn.Module:
        """The weights that are validated and saved: the EMA if enabled."""
        module: nn.Module = self.average.module
        return module

    def train_one_epoch(self, batches: Iterable[Batch], loss: Loss) -> tuple[float, float, float]:
        """Trains for one epoch; returns mean loss, accuracy, and the share of time spent
        waiting.
        """
        set_train_mode(self.network)
        timer, started = DataTimer(), time.monotonic()
        total, hits, count = 0.0, 0, 0
        bar = tqdm(
            timer.iterate(batches),
            total=self.config.steps_per_epoch,
            desc=f"{self.config.name} {len(self.history) + 1}/{self.config.epochs}",
            unit="batch",
            disable=not self.process_group.is_main,
        )
        for step, batch in enumerate(bar):
            self._set_learning_rate(step)
            taken = self._step(batch, loss)
            size = len(batch.targets)
            total, count = total + taken.loss.item() * size, count + size
            hits += int(taken.hits.sum())
            bar.set_postfix(loss=f"{total / count:.3f}")
        return total / count, hits / count, timer.seconds / (time.monotonic() - started)

    def _step(self, batch: Batch, loss: Loss) -> Step:
        with autocast(self.device, self.config.precision):
            taken = loss(self._ddp_network, Batch(*(column.to(self.device) for column in batch)))
        self.optimizer.zero_grad(set_to_none=True)
        taken.loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.average.update_parameters(self.network)
        return taken

    def _set_learning_rate(self, step: int) -> None:
        if self.config.schedule == "cosine":
            steps = self.config.epochs * self.config.steps_per_epoch
            done = (len(self.history) * self.config.steps_per_epoch + step) / steps
            warm = min(1.0, done / 0.05)  # warm-up over the first twentieth
            rate = self.config.learning_rate * warm * (1 + math.cos(math.pi * done)) / 2
        else:
            rate = self.config.learning_rate * 0.5 ** self._plateaus()
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def _plateaus(self) -> int:
        """Counts periods of `plateau_patience` epochs without improvement of the validation
        loss.
        """
        best, waited, halved = math.inf, 0, 0
        for line in self.history:
            waited = 0 if line.val_loss < best else waited + 1
            best = min(best, line.val_loss)
            if waited > self.config.plateau_patience:
                waited, halved = 0, halved + 1
        return halved

    def is_best(self) -> bool:
        return self.history[-1].val_loss == min(line.val_loss for line in self.history)

    def finished(self) -> bool:
        losses = [line.val_loss for line in self.history]
        stale = len(losses) - 1 - losses.index(min(losses)) if losses else 0
        return len(losses) >= self.config.epochs or stale >= self.config.early_stop

    def save(self, path: Path) -> None:
        partial = path.with_suffix(".partial")
        state = {
            "fingerprint": self.fingerprint,
            "average": self.average.state_dict(),
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": [asdict(line) for line in self.history],
        }
        torch.save(state, partial)
        partial.replace(path)

    def resume(self, path: Path) -> None:
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["fingerprint"] != self.fingerprint:
            raise ValueError(
                f"{path} was left by a run with another configuration, data or start; "
                "delete it, or train without --resume"
            )
        self.average.load_state_dict(state["average"])
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.history = [Epoch(**line) for line in state["history"]]


class DataTimer:
    """Measures the time spent waiting for the next batch."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def iterate(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yields the items."""
        source = iter(items)
        while True:
            started = time.monotonic()
            try:
                item = next(source)
            except StopIteration:
                return
            self.seconds += time.monotonic() - started
            yield item


def set_train_mode(network: nn.Module) -> None:
    """Sets training mode; layers without trainable parameters stay in evaluation mode."""
    network.train()
    for module in network.modules():
        parameters = list(module.parameters())
        if parameters and not any(p.requires_grad for p in parameters):
            module.eval()


def fit(
    trainer: Trainer,
    batches: Callable[[int], Iterable[Batch]],
    loss: Loss,
    validate: Callable[[nn.Module], Validation],
    save_weights: Callable[[nn.Module], None],
    folder: Path,
) -> None:
    """Runs until the last epoch or an early stop; calls `save_weights` after every improvement."""
    config, process_group = trainer.config, trainer.process_group
    while not trainer.finished():
        epoch = len(trainer.history)
        torch.manual_seed(config.seed + epoch)  # dropout uses the global generator
        started = time.monotonic()
        train_loss, train_accuracy, waiting = trainer.train_one_epoch(batches(epoch), loss)
        speed = config.steps_per_epoch * config.batch_size / (time.monotonic() - started)
        rate = trainer.optimizer.param_groups[0]["lr"]
        found = process_group.broadcast(lambda: validate(trainer.ema_model))
        trainer.history.append(
            Epoch(
                epoch + 1, train_loss, found.loss, rate, speed,
                train_accuracy, found.accuracy, waiting,
            )
        )  # fmt: skip
        if process_group.is_main:
            _save_epoch(trainer, save_weights, folder)


def _save_epoch(trainer: Trainer, save_weights: Callable[[nn.Module], None], folder: Path) -> None:
    """Saves the weights before the state: if interrupted in between, the epoch repeats
    identically.
    """
    if trainer.is_best() or trainer.config.keep_last:
        save_weights(trainer.ema_model)
    trainer.save(folder / STATE)
    write_history(trainer.history, folder / HISTORY)
    last = trainer.history[-1]
    with SummaryWriter(folder / TENSORBOARD, purge_step=last.epoch) as board:
        for name, value in asdict(last).items():
            board.add_scalar(name, value, last.epoch)
    print(last, flush=True)


def write_history(history: list[Epoch], path: Path) -> None:
    """Writes the learning curve as CSV."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(Epoch.__dataclass_fields__))
        writer.writeheader()
        writer.writerows(asdict(line) for line in history)


@torch.inference_mode()
def predict(network: nn.Module, batches: Iterable[Batch], device: torch.device) -> Tensor:
    """Returns float32 logits (N, C) on the CPU, in evaluation mode and full precision."""
    network.eval()
    parts = []
    for batch in batches:
        answer = network(batch.images.to(device))
        parts.append((answer if isinstance(answer, Tensor) else answer.logits).cpu())
    return torch.cat(parts)


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Autocast if configured and supported by the device."""
    enabled = precision_on(device, precision) == "bfloat16"
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


def precision_on(device: torch.device, wanted: str) -> str:
    """The dtype to compute in; emulated bfloat16 is far slower than float32."""
    return wanted if wanted == "float32" or has_bfloat16(device) else "float32"


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device supports bfloat16 natively."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))
