"""Chester's first layers keep their outputs after conversion to the classifier's scale."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from chestxray.networks import CovidClassifierNet
from tests.phantoms import phantom
from training import convert_chester
from training.initial_weights import build_classifier

LAYERS = ("conv0", "norm0", "denseblock1", "transition1", "denseblock2.denselayer1.")


@pytest.fixture
def weights() -> dict[str, Tensor]:
    """Weights of random layers with non-trivial batch norms."""
    torch.manual_seed(0)
    network = CovidClassifierNet()
    for name, values in network.state_dict().items():
        if "norm" in name and name.endswith(("weight", "bias")):
            values.normal_()
    prefixes = tuple(f"features.{layer}" for layer in LAYERS)
    known = {k: v for k, v in network.state_dict().items() if k.startswith(prefixes)}
    return {k: v for k, v in known.items() if "num_batches" not in k}


@pytest.fixture
def images() -> Tensor:
    sizes = ((64, 64), (64, 48), (48, 64))
    rows = [torch.from_numpy(phantom(*s)[:48, :48].copy()) for s in sizes]
    return torch.stack(rows)[:, None]


def norms_of(network: nn.Module, weights: dict[str, Tensor]) -> list[nn.BatchNorm2d]:
    return [
        module
        for name, module in network.named_modules()
        if isinstance(module, nn.BatchNorm2d) and f"{name}.weight" in weights
    ]


def relative_error(found: Tensor, expected: Tensor) -> float:
    """The largest difference relative to the largest value."""
    return float((found - expected).abs().max() / expected.abs().max())


@torch.no_grad()
def test_folded_scale_equals_the_unfolded_one_away_from_the_border(
    weights: dict[str, Tensor], images: Tensor
) -> None:
    grey = (images.float() / 255).expand(-1, 3, -1, -1)
    own = convert_chester.load_first_layers(weights).features
    expected = own.norm0(own.conv0(grey))

    folded = convert_chester.load_first_layers(convert_chester.fold_scale(weights))
    found = folded.features.norm0(folded.features.conv0(folded.scale(images)))

    assert relative_error(found[..., 2:-2, 2:-2], expected[..., 2:-2, 2:-2]) < 1e-5
    assert relative_error(found, expected) > 1e-2


@torch.no_grad()
def test_recalibration_does_not_change_the_outputs(
    weights: dict[str, Tensor], images: Tensor
) -> None:
    network = convert_chester.load_first_layers(convert_chester.fold_scale(weights))
    others = 255 - images
    before = network(images), network(others)

    convert_chester.recalibrate(network, norms_of(network, weights), images.split(2))

    assert relative_error(network(images), before[0]) < 1e-4
    assert relative_error(network(others), before[1]) < 1e-4


@torch.no_grad()
def test_recalibration_sets_each_norm_to_its_input_statistics(
    weights: dict[str, Tensor], images: Tensor
) -> None:
    network = convert_chester.load_first_layers(convert_chester.fold_scale(weights))
    norms = norms_of(network, weights)

    convert_chester.recalibrate(network, norms, images.split(2))

    seen: dict[nn.Module, Tensor] = {}
    for norm in norms:
        norm.register_forward_pre_hook(lambda norm, inputs: seen.update({norm: inputs[0].clone()}))
    network(images)
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
def test_training_mode_matches_evaluation_mode_on_calibration_images(
    weights: dict[str, Tensor], images: Tensor
) -> None:
    whole = convert_chester.load_first_layers(convert_chester.fold_scale(weights))
    network = nn.Sequential(whole.scale, whole.features[:-1])

    convert_chester.recalibrate(network, norms_of(whole, weights)[:-2], [images])

    expected = network(images)
    assert relative_error(network.train()(images), expected) < 1e-3


def test_weights_of_another_network_are_rejected(weights: dict[str, Tensor]) -> None:
    weights["features.conv0.bias"] = torch.zeros(64)

    with pytest.raises(ValueError, match=r"features\.conv0\.bias"):
        convert_chester.load_first_layers(weights)


def test_classifier_can_be_initialised_from_the_converted_weights(
    weights: dict[str, Tensor], phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "chester.safetensors", tmp_path / "runs" / "front.safetensors"
    save_file(weights, source, metadata={"licence": "CC BY-NC 4.0"})
    options = ("--data", phantoms, "--device", "cpu", "--output", target, "--films", 2)
    monkeypatch.setattr("sys.argv", [str(a) for a in ("front", source, *options)])

    convert_chester.main()

    written, started = load_file(target), build_classifier(f"file:{target}").state_dict()
    assert written.keys() == weights.keys()
    assert all(torch.equal(started[name], values) for name, values in written.items())
    with safe_open(target, "pt") as file:
        assert file.metadata()["licence"] == "CC BY-NC 4.0"
