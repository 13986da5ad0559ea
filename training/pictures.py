"""Montages of a classifier's results: class activation maps and errors.

They show patients, so they stay where they were made (paper, figures 8 and 9).
"""

import base64
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from chestxray.cam import overlay
from chestxray.labels import FINDINGS
from training.classifier_evaluation import predict
from training.evaluation_set import EvaluationSet
from training.train_classifier import examples

PICTURES = "pictures.html"
_EACH = 6
"""Maximum number of images per class, and of errors per kind."""


def write(evaluation_set: EvaluationSet, folder: Path) -> Path:
    """Writes one HTML file with the most confident correct and wrong predictions of the
    test split.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = predict(evaluation_set, "test")
    rows = examples(evaluation_set.records, "test", power=1.0).rows
    said, sure = found.probabilities.argmax(axis=1), found.probabilities.max(axis=1)
    parts = ["<!doctype html><meta charset=utf-8><title>Pictures</title>", _STYLE]
    for actual, label in enumerate(FINDINGS):
        for predicted, name in enumerate(FINDINGS):
            chosen = np.flatnonzero((found.labels == actual) & (said == predicted))
            surest = chosen[np.argsort(-sure[chosen])][:_EACH]
            parts.append(f"<h2>{label}, said to be {name}: {len(chosen)}</h2>")
            parts += [
                _figure(evaluation_set, int(rows[i]), predicted, float(sure[i])) for i in surest
            ]
    path = folder / PICTURES
    path.write_text("\n".join(parts))
    return path


_STYLE = (
    "<style>body{font:15px system-ui;margin:1rem}figure{display:inline-block;margin:.3rem}"
    "img{width:224px}figcaption{text-align:center}</style>"
    "<p><strong>These are patients: do not publish.</strong></p>"
)


@torch.inference_mode()
def _figure(evaluation_set: EvaluationSet, row: int, label: int, sure: float) -> str:
    pixels = np.array(evaluation_set.pixels[row])
    image = torch.from_numpy(pixels)[None, None].to(evaluation_set.device)
    grid = evaluation_set.network(image).cam[0, label].cpu().numpy()
    png = base64.b64encode(overlay(Image.fromarray(pixels), grid)).decode()
    source = evaluation_set.records[row].dataset
    return (
        f'<figure><img alt="" src="data:image/png;base64,{png}">'
        f"<figcaption>{source}, {sure:.0%}</figcaption></figure>"
    )
