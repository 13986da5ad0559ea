"""A curated data set of phantoms, and published configurations reduced in size for tests."""

import tomllib
from pathlib import Path

import numpy as np

from tests.phantoms import encode, phantom

LABELS = ["covid19", "no_finding", "lung_opacity", "lateral_cxr", "other_xray", "ct", "rotated_cxr"]


def write_collection(root: Path) -> Path:
    """Writes two images per label and split, from two sources and of two ages."""
    lines = ["path,label,dataset,group_id,suggested_split,sha256,note"]
    external = [lines[0]]
    for split in ("train", "val", "test", "external"):
        for i, label in enumerate(LABELS):
            for dataset, note in (("siim", "age 50"), ("other", "paediatric")):
                name = f"{split}-{label}-{dataset}.png"
                (root / name).write_bytes(encode(np.roll(phantom(64, 64), 9 * i), "PNG"))
                line = f"{name},{label},{dataset},{name},{split},{name},{note}"
                (external if split == "external" else lines).append(line)
    (root / "manifest.csv").write_text("\n".join(lines))
    (root / "manifest_external.csv").write_text("\n".join(external))
    return root


def write_small_config(source: Path, target: Path, **changes: object) -> Path:
    """Writes a published configuration reduced in size."""
    values = tomllib.loads(source.read_text())
    values |= {"init": "random", "epochs": 1, "steps_per_epoch": 1, "batch_size": 4, "size": 32}
    values |= {"precision": "float32"} | changes
    nested = values.pop("augmentation")
    lines = [f"{k} = {_toml(v)}" for k, v in values.items()] + ["[augmentation]"]
    target.write_text("\n".join(lines + [f"{k} = {_toml(v)}" for k, v in nested.items()]))
    return target


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)
