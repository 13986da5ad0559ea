"""Converts the first layers of Chester, trained on NIH images, to initial weights.

    python -m training.convert_chester densenet121_front_chester_nih.safetensors

Chester (mlmed/chester-xray, Cohen et al. 2019, arXiv:1901.11210; CC BY-NC 4.0) is a DenseNet-121
that was trained on ImageNet and then on NIH ChestX-ray14. The file has its layers up to the second
dense block, for input grey / 255, with folded batch norms. Here the norms get the statistics of
training images, so that they can be trained, and the first layers the classifier's input scale. Use
the result with `training.train_classifier --init file:runs/chester_front.safetensors`; missing
layers are initialised randomly. Chester may have been trained on the NIH images of the external
split.
"""

import argparse
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm import tqdm

from chestxray.labels import FINDINGS
from chestxray.networks import CovidClassifierNet
from chestxray.preprocessing import IMAGENET
from training import splits
from training.cache import read
from training.config import read_config
from training.datasets.records import Record
from training.run import add_data_flags, load_records

CONFIG = Path(__file__).parent / "configs" / "classifier_supervised.toml"
"""The run from whose training split the images are sampled."""

_CONV, _MEAN = "features.conv0.weight", "features.norm0.running_mean"


def fold_scale(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Converts weights for x = grey / 255 to the classifier's (x - mean) / std.

    conv(std * W, (x - mean) / std) = conv(W, x) - sum(mean * W); norm0's running mean takes the
    last term. Zero padding now means mean grey instead of black, so outputs differ at the image's
    edge.
    """
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (IMAGENET.mean, IMAGENET.std))
    share = (weights[_CONV] * mean).sum(dim=(1, 2, 3))  # (64,)
    return weights | {_CONV: weights[_CONV] * std, _MEAN: weights[_MEAN] - share}


def load_first_layers(weights: dict[str, Tensor]) -> nn.Sequential:
    """Builds the classifier's scale and blocks as far as the weights go, in evaluation mode."""
    network = CovidClassifierNet()
    known = {name.split(".")[1] for name in weights}
    last = max(i for i, (name, _) in enumerate(network.features.named_children()) if name in known)
    parts = OrderedDict(scale=network.scale, features=network.features[: last + 1])
    layers = nn.Sequential(parts).eval()
    unexpected = layers.load_state_dict(weights, strict=False).unexpected_keys
    if unexpected:
        raise ValueError(f"the weights do not fit a DenseNet-121: {unexpected[:3]}")
    return layers


@torch.no_grad()
def recalibrate(
    layers: nn.Module, norms: Sequence[nn.BatchNorm2d], images: Iterable[Tensor]
) -> None:
    """Sets each norm's mean and variance to those of its input; outputs in evaluation mode stay the
    same.

    Since no norm's output changes, neither does the input of later norms: one pass measures all.
    """
    sums: dict[nn.Module, Tensor] = {
        norm: torch.zeros(3, norm.num_features, dtype=torch.float64) for norm in norms
    }

    def add(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        values = inputs[0].double()  # (B, C, H, W)
        sums[norm] += torch.stack([(values**p).sum(dim=(0, 2, 3)) for p in range(3)]).cpu()

    hooks = [norm.register_forward_pre_hook(add) for norm in norms]
    for batch in images:
        layers(batch)
    for hook in hooks:
        hook.remove()
    for norm in norms:
        count, total, squares = sums[norm].to(norm.weight.device).unbind()
        mean = total / count
        _set_statistics(norm, mean, (squares / count - mean.square()).clamp(min=0))


def _set_statistics(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    # The file folds its statistics into weight and bias: running mean 0, running variance 1.
    assert norm.running_mean is not None and norm.running_var is not None
    slope = norm.weight / (norm.running_var.double() + norm.eps).sqrt()
    norm.bias.add_(slope * (mean - norm.running_mean))
    norm.weight.copy_(slope * (variance + norm.eps).sqrt())
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)


def sample_records(
    records: Sequence[Record], count: int, generator: np.random.Generator
) -> list[Record]:
    """Samples images that the classifier trains on. Raises ValueError if there are too few."""
    films = [r for r in splits.of(records, "train") if r.label in FINDINGS]
    return [films[i] for i in generator.choice(len(films), count, replace=False)]


def convert(source: Path, target: Path, films: Sequence[Record], device: torch.device) -> None:
    """Writes the converted layers of the source, with its licence."""
    weights = fold_scale(load_file(source))
    layers = load_first_layers(weights).to(device)
    known = {name.rpartition(".")[0] for name in weights}
    norms = [m for n, m in layers.named_modules() if n in known and isinstance(m, nn.BatchNorm2d)]
    bar = tqdm(films, desc="measure", unit="film")
    recalibrate(layers, norms, (torch.tensor(read(f.path))[None].to(device) for f in bar))
    with safe_open(source, "pt") as file:
        facts = file.metadata() or {}
    facts["note"] = f"ImageNet scale; {len(norms)} norms measured on {len(films)} training films"
    target.parent.mkdir(parents=True, exist_ok=True)
    measured = {name: values for name, values in layers.state_dict().items() if name in weights}
    save_file(measured, target, metadata=facts)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path)
    add_data_flags(parser)
    parser.add_argument("--output", type=Path, default=Path("runs/chester_front.safetensors"))
    parser.add_argument("--films", type=int, default=256, help="to measure the statistics on")
    flags = parser.parse_args()
    config = read_config(CONFIG)
    generator = np.random.default_rng(config.seed)
    films = sample_records(load_records(flags.data, config), flags.films, generator)
    convert(flags.weights, flags.output, films, torch.device(flags.device))


if __name__ == "__main__":
    main()
