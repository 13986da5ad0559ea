"""How well the classifier does inside, within one source, and at hospitals it never saw."""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import torch
from scipy.optimize import minimize_scalar

from chestxray import projection
from chestxray.checkpoints import Card
from chestxray.networks import CovidClassifierNet
from chestxray.projection import PROJECTION_AXES
from training import engine
from training.cache import Pixels
from training.datasets.curated import SAME_SOURCE
from training.datasets.records import Record
from training.examples import Examples, eval_batches
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


def complete(
    network: CovidClassifierNet,
    card: Card,
    records: Sequence[Record],
    pixels: Pixels,
    device: torch.device,
) -> Card:
    """Fits temperature and projection, and measures on what neither training nor fit has seen."""
    generator = np.random.default_rng(0)
    size = card.preprocessing.size

    def logits(chosen: Examples) -> torch.Tensor:
        return engine.predict(network, eval_batches(pixels, chosen, size=size), device)

    def same_source(chosen: Examples) -> np.ndarray:
        return np.array([records[row].dataset == SAME_SOURCE for row in chosen.rows])

    val = examples(records, "val", power=1.0)
    temperature = fit_temperature(logits(val), torch.from_numpy(val.targets))
    test, external = (examples(records, name, power=1.0) for name in ("test", "external"))
    parts = {
        f"test_without_{SAME_SOURCE}": test.where(~same_source(test)),
        f"test_{SAME_SOURCE}": test.where(same_source(test)),
        "external": external,
    }
    metrics = {}
    for name, part in parts.items():
        probabilities = (logits(part).double() / temperature).softmax(dim=1).numpy()
        metrics[name] = asdict(performance(probabilities, part.targets, generator=generator))
    _fit_projection(network, examples(records, "train", power=1.0), pixels, device, generator)
    return card.model_copy(
        update={"temperature": temperature, "metrics": metrics, "caveats": CAVEATS}
    )


def fit_temperature(logits: torch.Tensor, targets: torch.Tensor) -> float:
    """Returns T that minimises the cross-entropy of logits / T (Guo et al. 2017, 1706.04599)."""

    def loss(log_temperature: float) -> float:
        return float(torch.nn.functional.cross_entropy(logits / np.exp(log_temperature), targets))

    best = minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded")
    return round(float(np.exp(best.x)), 4)


@torch.inference_mode()
def _fit_projection(
    network: CovidClassifierNet,
    train: Examples,
    pixels: Pixels,
    device: torch.device,
    generator: np.random.Generator,
) -> None:
    drawn = np.zeros(len(train), bool)
    drawn[generator.permutation(len(train))[:_REFERENCE_IMAGES]] = True
    batches = eval_batches(pixels, train.where(drawn), size=pixels.shape[-1])
    embeddings = torch.cat([network(images.to(device)).embedding.cpu() for images, _ in batches])
    fitted = projection.fit(embeddings.numpy(), axes=PROJECTION_AXES)
    network.projection_mean.copy_(torch.from_numpy(fitted.mean))
    network.projection_axes.copy_(torch.from_numpy(np.ascontiguousarray(fitted.axes)))
