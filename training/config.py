"""All that a published run depends on, read from one TOML file and saved in its checkpoint."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from training.augment import Augmentation
from training.losses import MapRule


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One run of one network."""

    name: str
    version: str
    init: str  # imagenet, random, file:PATH or shared:PATH (training/start.py)
    origin: str = ""  # in words, what the first of a chain of runs started from, and who taught it
    stage: Literal[1, 2] = 2  # of the classifier; the filter has one stage
    continues: bool = False  # init has been through this stage: its COVID-19 output is kept
    epochs: int
    steps_per_epoch: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 0.0
    schedule: Literal["plateau", "cosine"] = "plateau"
    plateau_patience: int = 2  # epochs before the learning rate is halved
    early_stop: int = 15  # epochs without a better validation loss
    keep_last: bool = False  # ships the last weights; else those of the best validation loss
    label_smoothing: float = 0.0
    # paper: its equation 2; supervised: with what readers said besides (training/supervision.py)
    loss: Literal["cross_entropy", "paper", "supervised"] = "cross_entropy"
    weighted_loss: bool = False
    weight_rule: Literal["inverse", "as_printed"] = "inverse"  # of equation 1
    group_robust: float = 0.0  # how far the loss leans to the class and source that does worst
    teachers: tuple[str, ...] = ()  # checkpoints whose mean answer the network learns as well
    distillation: float = 0.0  # share of the loss that is the teachers'
    guide: float = 0.0  # weight of telling a vision transformer's features (training/guide.py)
    map_weight: float = 0.0  # of the map's loss against what readers drew (losses.map_loss)
    map_rule: MapRule = "balanced"
    appearance_weight: float = 0.0  # of the head for the four study classes of siim
    weak_share: float = 1.0  # how far a label is believed that no radiologist gave or confirmed
    abnormal_share: float = 0.0  # of the draws: films known to be abnormal and no more
    source_power: float = 1.0  # a source of n images is drawn in proportion to n ** this
    same_source_share: float = (
        0.0  # of the draws from the source with all classes; 0: as source_power
    )
    frozen_blocks: int = 0  # of the network's blocks, with all before them; they stay as they are
    ema_decay: float = 0.0  # 0 ships the last weights themselves
    precision: Literal["float32", "bfloat16"] = "float32"  # float32 where bfloat16 is emulated
    view: str = "as_is"  # what is done to every picture first, by name (training/views.py)
    size: int = 224  # side in pixels during training and validation of this run
    seed: int = 0
    redraw: bool = False  # splits drawn anew by patient, by the seed, not as the data suggest
    augmentation: Augmentation = field(default_factory=Augmentation)


def parse_config(values: dict[str, Any]) -> TrainConfig:
    """Makes a TrainConfig of plain values, as TOML or a checkpoint's card holds them."""
    how = dict(values.get("augmentation", {}))
    if "zoom" in how:
        how["zoom"] = tuple(how["zoom"])
    nested = {"augmentation": Augmentation(**how), "teachers": tuple(values.get("teachers", ()))}
    return TrainConfig(**(values | nested))


def read_config(path: Path, **overrides: Any) -> TrainConfig:
    """Reads a TOML file with the fields of TrainConfig; overrides win. Raises TypeError."""
    return parse_config(tomllib.loads(path.read_text()) | overrides)
