"""Chester's first layers answer as before, in the classifier's scale and with true statistics."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from chestxray.networks import CovidClassifierNet
from tests.phantoms import phantom
from training import front
from training.start import start_classifier

LAYERS = ("conv0", "norm0", "denseblock1", "transition1", "denseblock2.denselayer1.")


@pytest.fixture
def weights() -> dict[str, Tensor]:
    """Random layers, whose batch norms are folded but not into nothing."""
    torch.manual_seed(0)
    network = CovidClassifierNet()
    for name, values in network.state_dict().items():
        if "norm" in name and name.endswith(("weight", "bias")):
            values.normal_()
    prefixes = tuple(f"features.{layer}" for layer in LAYERS)
    known = {k: v for k, v in network.state_dict().items() if k.startswith(prefixes)}
    return {k: v for k, v in known.items() if "num_batches" not in k}


@pytest.fixture
def films() -> Tensor:
    sizes = ((64, 64), (64, 48), (48, 64))
    rows = [torch.from_numpy(phantom(*s)[:48, :48].copy()) for s in sizes]
    return torch.stack(rows)[:, None]


def norms_of(network: nn.Module, weights: dict[str, Tensor]) -> list[nn.BatchNorm2d]:
    return [
        module
        for name, module in network.named_modules()
        if isinstance(module, nn.BatchNorm2d) and f"{name}.weight" in weights
    ]


def off(found: Tensor, expected: Tensor) -> float:
    """The largest difference, in parts of the largest value."""
    return float((found - expected).abs().max() / expected.abs().max())


@torch.no_grad()
def test_folded_scale_equals_the_unfolded_one_away_from_the_rim(
    weights: dict[str, Tensor], films: Tensor
) -> None:
    grey = (films.float() / 255).expand(-1, 3, -1, -1)
    own = front.load_front(weights).features
    expected = own.norm0(own.conv0(grey))

    folded = front.load_front(front.fold_scale(weights))
    found = folded.features.norm0(folded.features.conv0(folded.scale(films)))

    assert off(found[..., 2:-2, 2:-2], expected[..., 2:-2, 2:-2]) < 1e-5
    assert off(found, expected) > 1e-2


@torch.no_grad()
def test_new_statistics_change_no_answer(weights: dict[str, Tensor], films: Tensor) -> None:
    network = front.load_front(front.fold_scale(weights))
    others = 255 - films
    before = network(films), network(others)

    front.recalibrate(network, norms_of(network, weights), films.split(2))

    assert off(network(films), before[0]) < 1e-4
    assert off(network(others), before[1]) < 1e-4


@torch.no_grad()
def test_every_norm_knows_the_mean_and_variance_of_its_input(
    weights: dict[str, Tensor], films: Tensor
) -> None:
    network = front.load_front(front.fold_scale(weights))
    norms = norms_of(network, weights)

    front.recalibrate(network, norms, films.split(2))

    seen: dict[nn.Module, Tensor] = {}
    for norm in norms:
        norm.register_forward_pre_hook(lambda norm, inputs: seen.update({norm: inputs[0].clone()}))
    network(films)
    assert len(seen) == len(norms) == 1 + 2 * 6 + 1 + 2
    for norm, values in seen.items():
        alive = norm.running_var > 0
        mean, std = (x[alive].view(-1, 1, 1) for x in (norm.running_mean, norm.running_var.sqrt()))
        scaled = (values[:, alive] - mean) / std
        assert scaled.mean(dim=(0, 2, 3)).abs().max() < 1e-3
        assert (scaled.var(dim=(0, 2, 3), correction=0) - 1).abs().max() < 1e-3
        dead = values[:, ~alive] - norm.running_mean[~alive].view(-1, 1, 1)
        assert (dead.abs() < 1e-6).all()


@torch.no_grad()
def test_training_mode_answers_as_evaluation_mode_on_the_measured_films(
    weights: dict[str, Tensor], films: Tensor
) -> None:
    whole = front.load_front(front.fold_scale(weights))
    network = nn.Sequential(whole.scale, whole.features[:-1])

    front.recalibrate(network, norms_of(whole, weights)[:-2], [films])

    expected = network(films)
    assert off(network.train()(films), expected) < 1e-3


def test_weights_of_another_network_are_refused(weights: dict[str, Tensor]) -> None:
    weights["features.conv0.bias"] = torch.zeros(64)

    with pytest.raises(ValueError, match=r"features\.conv0\.bias"):
        front.load_front(weights)


def test_the_classifier_starts_from_what_is_written(
    weights: dict[str, Tensor], phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "chester.safetensors", tmp_path / "runs" / "front.safetensors"
    save_file(weights, source, metadata={"licence": "CC BY-NC 4.0"})
    options = ("--data", phantoms, "--device", "cpu", "--output", target, "--films", 2)
    monkeypatch.setattr("sys.argv", [str(a) for a in ("front", source, *options)])

    front.main()

    written, started = load_file(target), start_classifier(f"file:{target}").state_dict()
    assert written.keys() == weights.keys()
    assert all(torch.equal(started[name], values) for name, values in written.items())
    with safe_open(target, "pt") as file:
        assert file.metadata()["licence"] == "CC BY-NC 4.0"
