"""The two networks, from uint8 pixels to logits."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from chestxray.labels import FINDINGS, VERDICTS
from chestxray.preprocessing import IMAGENET, UNIT_RANGE, Preprocessing
from chestxray.projection import PROJECTION_AXES
from chestxray.torchvision_ops import models


class Scale(nn.Module):
    """Normalises pixels 0..255 (B, 1, H, W) to float32 (B, C, H, W), on the device."""

    mean: Tensor
    std: Tensor

    def __init__(self, preprocessing: Preprocessing) -> None:
        super().__init__()
        shape = (1, len(preprocessing.mean), 1, 1)
        self.register_buffer("mean", torch.tensor(preprocessing.mean).view(shape), persistent=False)
        self.register_buffer("std", torch.tensor(preprocessing.std).view(shape), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        scaled = (images.float() / 255 - self.mean) / self.std
        return scaled.contiguous(memory_format=torch.channels_last)


class XRayFilterNet(nn.Module):
    """MobileNetV2 with a one-channel stem and one output per verdict (paper, 2.1)."""

    architecture = "mobilenet_v2"
    preprocessing = UNIT_RANGE
    labels = VERDICTS

    def __init__(self) -> None:
        super().__init__()
        self.scale = Scale(self.preprocessing)
        self.backbone = models.mobilenet_v2(num_classes=len(VERDICTS))
        stem = self.backbone.features[0]
        stem[0] = nn.Conv2d(1, stem[0].out_channels, kernel_size=3, stride=2, padding=1, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Returns logits (B, 8) for uint8 images (B, 1, 224, 224)."""
        logits: Tensor = self.backbone(self.scale(images))
        return logits.float()


class ClassifierOutput(NamedTuple):
    """Outputs of a forward pass of the classifier."""

    logits: Tensor  # (B, 3)
    cam: Tensor  # (B, 3, 14, 14)
    embedding: Tensor  # (B, 1024)
    projection: Tensor  # (B, 3)


class CovidClassifierNet(nn.Module):
    """DenseNet-121 up to its third dense block, with a head that computes the CAM (paper, 2.2).

    The 1x1 convolution comes before the pooling, so `cam.mean over space + bias == logits` exactly
    (Zhou et al. 2016, arXiv:1512.04150, equation 2).
    """

    architecture = "densenet121_blocks123"
    preprocessing = IMAGENET
    labels = FINDINGS
    width = 1024
    projection_mean: Tensor
    projection_axes: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.scale = Scale(self.preprocessing)
        whole = models.densenet121()
        self.features = nn.Sequential()
        for name, module in whole.features.named_children():
            if name == "transition3":
                break
            self.features.add_module(name, module)
        self.norm = nn.BatchNorm2d(self.width)
        self.cam = nn.Conv2d(self.width, len(FINDINGS), kernel_size=1, bias=False)
        self.bias = nn.Parameter(torch.zeros(len(FINDINGS)))
        self.register_buffer("projection_mean", torch.zeros(self.width))
        self.register_buffer("projection_axes", torch.zeros(PROJECTION_AXES, self.width))

    @torch.no_grad()
    def centre(self) -> None:
        """Subtracts the mean over classes from the weights and biases of the head.

        Softmax is invariant to this, so no probability changes; each map then shows the evidence
        for its class as opposed to the others.
        """
        self.cam.weight.sub_(self.cam.weight.mean(dim=0, keepdim=True))
        self.bias.sub_(self.bias.mean())

    def forward(self, images: Tensor) -> ClassifierOutput:
        """Runs uint8 images (B, 1, 224, 224)."""
        maps = torch.relu(self.norm(self.features(self.scale(images))))  # (B, 1024, 14, 14)
        # In float32, so that the identity of CAM and logits holds under autocast too.
        with torch.autocast(maps.device.type, enabled=False):
            maps = maps.float()
            cam = self.cam(maps)  # (B, 3, 14, 14)
            logits = cam.mean(dim=(2, 3)) + self.bias
            embedding = maps.mean(dim=(2, 3))
            projection = (embedding - self.projection_mean) @ self.projection_axes.T
        return ClassifierOutput(logits, cam, embedding, projection)


Network = XRayFilterNet | CovidClassifierNet

BY_ARCHITECTURE: dict[str, type[Network]] = {
    network.architecture: network for network in (XRayFilterNet, CovidClassifierNet)
}
