"""The services started by BentoML's own command."""

from pathlib import Path

import httpx
import numpy as np

from chestxray.labels import FINDINGS
from tests.phantoms import encode, phantom
from tests.service.server import serve

CLASSIFIER = ("bentoml", "serve", "bentos.covid_classifier.pod:CovidClassifier")
GATEWAY = ("bentoml", "serve", "service:Gateway")


def test_gateway_started_by_bentoml_answers(tmp_path: Path) -> None:
    with serve(tmp_path, command=GATEWAY) as server:
        files = {"image": ("x.png", encode(phantom(300, 300), "PNG"), "image/png")}
        answer = httpx.post(f"{server.url}/v1/analyses", files=files, timeout=60)

    assert answer.status_code in (200, 422)


def test_batched_classifier_api_accepts_json(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 1, 224, 224), np.uint8)
    with serve(tmp_path, command=CLASSIFIER) as server:
        right, wrong = (
            httpx.post(f"{server.url}/classify", json={"images": each}, timeout=60)
            for each in (images.tolist(), [[[[1]]]])
        )

    assert [len(each["probabilities"]) for each in right.json()] == 3 * [len(FINDINGS)]
    assert wrong.status_code == 400
