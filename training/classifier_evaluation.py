"""How well the classifier does inside, within one source, and at hospitals it never saw."""

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize_scalar

from chestxray import projection
from chestxray.checkpoints import Card
from chestxray.networks import CovidClassifierNet
from chestxray.projection import PROJECTION_AXES
from training.datasets.curated import SAME_SOURCE
from training.examples import eval_batches
from training.material import Material
from training.metrics import performance
from training.train_classifier import examples

CAVEATS = (
    "The source of an image predicts its class in the public data. The figures on siim, one "
    "source with all three classes, are the honest internal ones.",
    "44% of the lung_opacity images are of children, nearly all covid19 ones of adults.",
    "Labels of NIH images come from report texts; many COVID-19 films look normal.",
    "The patients of siim may overlap with those of radiodb; siim is not external.",
)

_REFERENCE_IMAGES = 600
"""Training images that the projection is fitted on."""


def complete(material: Material) -> Card:
    """Fits temperature and projection, and measures on what neither training nor fit has seen."""
    val = examples(material.records, "val", power=1.0)
    temperature = fit_temperature(material.logits(val), torch.from_numpy(val.targets))
    card = material.card.model_copy(update={"temperature": temperature, "caveats": CAVEATS})
    _fit_projection(material)
    return card.model_copy(update={"metrics": measure(replace(material, card=card))})


def measure(material: Material) -> dict[str, Any]:
    """Compares predictions with labels: within one source, beside it, and at other hospitals."""
    generator = np.random.default_rng(0)
    test, external = (examples(material.records, n, power=1.0) for n in ("test", "external"))
    same = np.array([material.records[row].dataset == SAME_SOURCE for row in test.rows])
    parts = {
        f"test_without_{SAME_SOURCE}": test.where(~same),
        f"test_{SAME_SOURCE}": test.where(same),
        "external": external,
    }
    metrics = {}
    for name, part in parts.items():
        probabilities = (material.logits(part) / material.card.temperature).softmax(dim=1).numpy()
        metrics[name] = asdict(performance(probabilities, part.targets, generator=generator))
    return metrics


def fit_temperature(logits: torch.Tensor, targets: torch.Tensor) -> float:
    """Returns T that minimises the cross-entropy of logits / T (Guo et al. 2017, 1706.04599)."""

    def loss(log_temperature: float) -> float:
        return float(torch.nn.functional.cross_entropy(logits / np.exp(log_temperature), targets))

    best = minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded")
    return round(float(np.exp(best.x)), 4)


@torch.inference_mode()
def _fit_projection(material: Material) -> None:
    network = material.network
    if not isinstance(network, CovidClassifierNet):
        raise TypeError("only the classifier has a projection")
    train = examples(material.records, "train", power=1.0)
    drawn = np.zeros(len(train), bool)
    drawn[np.random.default_rng(0).permutation(len(train))[:_REFERENCE_IMAGES]] = True
    size, device = material.card.preprocessing.size, material.device
    batches = eval_batches(material.pixels, train.where(drawn), size=size)
    embeddings = torch.cat([network(images.to(device)).embedding.cpu() for images, _ in batches])
    fitted = projection.fit(embeddings.numpy(), axes=PROJECTION_AXES)
    network.projection_mean.copy_(torch.from_numpy(fitted.mean))
    network.projection_axes.copy_(torch.from_numpy(np.ascontiguousarray(fitted.axes)))
