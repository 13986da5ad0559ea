"""Configuration of a training run, read from a TOML file and saved in the run's checkpoint."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from training.augment import Augmentation
from training.losses import MapRule


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Configuration of one run of one network."""

    name: str
    version: str
    init: str  # imagenet, random, file:PATH or shared:PATH (training/initial_weights.py)
    origin: str = (
        ""  # in words, the initial weights of a chain of runs, and the teacher of its distillation
    )
    stage: Literal[1, 2] = 2  # of the classifier; the filter has one stage
    continues: bool = False  # init has been through this stage: its COVID-19 output is kept
    epochs: int
    steps_per_epoch: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 0.0
    schedule: Literal["plateau", "cosine"] = "plateau"
    plateau_patience: int = 2  # epochs without improvement before the learning rate is halved
    early_stop: int = 15  # epochs without improvement before training stops
    keep_last: bool = False  # ship the last weights; otherwise those with the best validation loss
    label_smoothing: float = 0.0
    # paper: its equation 2; supervised: with what readers said besides (training/supervision.py)
    loss: Literal["cross_entropy", "paper", "supervised"] = "cross_entropy"
    weighted_loss: bool = False
    weight_rule: Literal["inverse", "as_printed"] = "inverse"  # of equation 1
    group_robust: float = 0.0  # weight of the worst class and source in the loss (group-robust)
    teachers: tuple[str, ...] = ()  # checkpoints of an ensemble to distil from
    distillation: float = 0.0  # share of the distillation loss
    guide: float = 0.0  # weight of the feature distillation loss (training/feature_distillation.py)
    map_weight: float = (
        0.0  # weight of the map's loss against readers' annotations (losses.map_loss)
    )
    map_rule: MapRule = "balanced"
    appearance_weight: float = 0.0  # weight of the head for the four study classes of siim
    weak_share: float = 1.0  # weight of labels that no radiologist gave or confirmed
    abnormal_share: float = 0.0  # share of draws: images only known to be abnormal
    source_power: float = 1.0  # a source of n images is sampled in proportion to n ** this
    same_source_share: float = (
        0.0  # share of draws from the source with all classes; 0: by source_power
    )
    frozen_blocks: int = 0  # number of blocks to freeze, with all layers before them
    ema_decay: float = 0.0  # decay of the EMA of the weights; 0 ships the last weights
    precision: Literal["float32", "bfloat16"] = (
        "float32"  # falls back to float32 where bfloat16 is emulated
    )
    view: str = "as_is"  # name of a transform of every image (training/ablations.py)
    size: int = 224  # image side in pixels during training and validation of this run
    seed: int = 0
    redraw: bool = False  # split anew by patient and seed instead of using the suggested splits
    augmentation: Augmentation = field(default_factory=Augmentation)


def parse_config(values: dict[str, Any]) -> TrainConfig:
    """Creates a TrainConfig from plain values, as in TOML or a checkpoint's card. Raises
    TypeError.
    """
    how = dict(values.get("augmentation", {}))
    if "zoom" in how:
        how["zoom"] = tuple(how["zoom"])
    nested = {"augmentation": Augmentation(**how), "teachers": tuple(values.get("teachers", ()))}
    return TrainConfig(**(values | nested))


def read_config(path: Path, **overrides: Any) -> TrainConfig:
    """Reads a TOML file with the fields of TrainConfig; `overrides` take precedence. Raises
    TypeError.
    """
    return parse_config(tomllib.loads(path.read_text()) | overrides)
