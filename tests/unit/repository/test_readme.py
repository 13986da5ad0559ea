"""Figures, files and make targets in the README are correct."""

import re

import pytest

from chestxray import checkpoints
from tests.conftest import ROOT
from training import model_card

README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", ["xray_filter", "covid_classifier"])
def test_readme_figures_match_the_shipped_models(name: str) -> None:
    card = checkpoints.read_card(ROOT / "bentos" / name / "weights.safetensors")

    for row in model_card.headline(card):
        assert row in README


@pytest.mark.parametrize("name", ["xray_filter", "covid_classifier"])
def test_model_card_matches_the_shipped_weights(name: str) -> None:
    folder = ROOT / "bentos" / name
    card = checkpoints.read_card(folder / "weights.safetensors")

    assert (folder / "MODEL_CARD.md").read_text() == model_card.render(card)


@pytest.mark.parametrize("document", ["README.md", "SECURITY.md"])
def test_files_and_make_targets_named_in_documents_exist(document: str) -> None:
    text, makefile = (ROOT / document).read_text(), (ROOT / "Makefile").read_text()
    for target in re.findall(r"make ([a-z-]+)", text):
        assert re.search(rf"^{target}:", makefile, re.M), target
    for path in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / path).exists(), path


def test_readme_states_research_use_at_the_top() -> None:
    assert "Research use only. Not a diagnosis." in README[:600]
