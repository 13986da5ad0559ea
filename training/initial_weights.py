"""Initial weights of a network, by name: imagenet, random, file:PATH or shared:PATH.

shared:PATH lies in the folder of training/shared_folder.py.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from chestxray.networks import CovidClassifierNet, XRayFilterNet
from chestxray.preprocessing import IMAGENET
from chestxray.torchvision_ops import models
from training.shared_folder import SHARED


def build_filter(init: str) -> XRayFilterNet:
    """Builds the filter from a filter checkpoint, which may have fewer verdicts, or from a
    MobileNetV2, whose RGB stem is folded into one channel.
    """
    network = XRayFilterNet()
    weights = _weights(init, lambda: models.mobilenet_v2(weights="IMAGENET1K_V1"))
    if "backbone.features.0.0.weight" in weights:
        for name, values in network.state_dict().items():
            known = weights[name]
            (values[: len(known)] if values.dim() else values).copy_(
                known
            )  # new verdicts are appended
    elif weights:
        stem = weights["features.0.0.weight"] / torch.tensor(IMAGENET.std).view(1, 3, 1, 1)
        weights["features.0.0.weight"] = stem.sum(dim=1, keepdim=True)
        _load(network.backbone, {k: v for k, v in weights.items() if "classifier" not in k})
    return network


def freeze_filter(network: XRayFilterNet, blocks: int) -> None:
    """Freezes the stem and the first blocks of the MobileNetV2."""
    network.backbone.features[:blocks].requires_grad_(False)


def build_classifier(init: str) -> CovidClassifierNet:
    """Builds the classifier from a classifier checkpoint, or from the blocks of a DenseNet-121."""
    network = CovidClassifierNet()
    weights = _weights(init, lambda: models.densenet121(weights="IMAGENET1K_V1"))
    if "cam.weight" in weights:
        _load(network, weights)
    elif weights:
        blocks = {k: v for k, v in weights.items() if k in network.state_dict()}
        norm = {k.replace("features.transition3.norm", "norm"): v for k, v in weights.items()}
        _load(network, blocks | {k: v for k, v in norm.items() if k.startswith("norm.")})
    return network


def freeze_classifier(network: CovidClassifierNet, blocks: int) -> None:
    """Freezes the stem and the first dense blocks with their transitions."""
    if blocks == 0:
        return
    for name, module in network.features.named_children():
        module.requires_grad_(False)
        if name == f"transition{blocks}":
            return
    raise ValueError(f"frozen_blocks is {blocks}; 0, 1 and 2 are allowed")


def _weights(init: str, published: Callable[[], nn.Module]) -> dict[str, Tensor]:
    if init == "random":
        return {}
    if init == "imagenet":
        return published().state_dict()
    file = checkpoint_path(init)
    if file is None:
        allowed = "imagenet, random, file:PATH and shared:PATH"
        raise ValueError(f"init is {init!r}; allowed are {allowed}")
    if not file.is_file():
        hint = "name other weights by --init, or their folder by the variable SHARED_DIR"
        raise FileNotFoundError(f"{file} is absent; {hint}")
    return load_file(file)


def checkpoint_path(init: str) -> Path | None:
    """The path of a checkpoint that `init` names, or None."""
    kind, _, path = init.partition(":")
    match kind:
        case "file":
            return Path(path)
        case "shared":
            return SHARED / path
        case _:
            return None


def _load(network: nn.Module, weights: dict[str, Tensor]) -> None:
    unexpected = network.load_state_dict(weights, strict=False).unexpected_keys
    if unexpected:
        raise ValueError(f"the initial weights do not fit: {unexpected[:3]}")
