"""The model card states origin and disclaimer."""

import pytest

from chestxray import checkpoints
from chestxray.checkpoints import Card
from chestxray.networks import CovidClassifierNet
from chestxray.results import DISCLAIMER
from training import model_card

ORIGIN = "blocks that knew fonts"


@pytest.fixture
def card() -> Card:
    return checkpoints.card_of(CovidClassifierNet(), name="covid_classifier", version="0")


@pytest.mark.parametrize(("origin", "lines"), [(ORIGIN, [f"- Origin: {ORIGIN}"]), ("", [])])
def test_model_card_states_the_origin_of_initial_weights_if_known(
    card: Card, origin: str, lines: list[str]
) -> None:
    training = {"config": {"init": "file:runs/x", "seed": 3, "origin": origin}}
    text = model_card.render(card.model_copy(update={"training": training}))

    assert "- Started from: file:runs/x; seed 3" in text
    assert [line for line in text.splitlines() if line.startswith("- Origin")] == lines
    assert DISCLAIMER in text
