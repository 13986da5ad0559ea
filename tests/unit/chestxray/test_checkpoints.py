"""A checkpoint holds weights and a card; an unsuitable file is rejected with a reason."""

import pickle
from pathlib import Path

import pytest
import torch

from chestxray import checkpoints
from chestxray.errors import CheckpointError
from chestxray.labels import FINDINGS, VERDICTS
from chestxray.networks import CovidClassifierNet, XRayFilterNet
from tests.conftest import ROOT

SHIPPED = {
    "xray_filter": (XRayFilterNet, VERDICTS),
    "covid_classifier": (CovidClassifierNet, FINDINGS),
}


def test_saved_weights_and_card_are_loaded_unchanged(random_filter: Path, tmp_path: Path) -> None:
    network = checkpoints.load(random_filter, XRayFilterNet())
    card = checkpoints.read_card(random_filter)

    copy = tmp_path / "copy.safetensors"
    checkpoints.save(copy, network, card)

    assert checkpoints.read_card(copy) == card
    again = checkpoints.load(copy, XRayFilterNet()).state_dict()
    for name, tensor in network.state_dict().items():
        assert torch.equal(again[name], tensor)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_checkpoint_loads_and_has_a_complete_card(name: str) -> None:
    network, labels = SHIPPED[name]
    path = ROOT / "bentos" / name / "weights.safetensors"

    card = checkpoints.read_card(path)
    checkpoints.load(path, network())

    assert card.name == name
    assert card.labels == labels
    assert card.metrics
    assert card.caveats
    assert set(card.data_digests) == {"train", "val", "test"}
    assert card.training["config"]["seed"] is not None


def test_missing_checkpoint_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere\.safetensors"):
        checkpoints.read_card(tmp_path / "nowhere.safetensors")


def test_truncated_checkpoint_is_rejected(random_filter: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(random_filter.read_bytes()[:-1000])

    with pytest.raises(CheckpointError):
        checkpoints.read_card(broken)


def test_checkpoint_of_another_model_is_rejected(random_classifier: Path) -> None:
    with pytest.raises(CheckpointError, match="densenet121_blocks123; mobilenet_v2"):
        checkpoints.load(random_classifier, XRayFilterNet())


def test_safetensors_file_without_a_card_is_rejected(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "bare.safetensors"
    save_file({"a": torch.zeros(1)}, path)

    with pytest.raises(CheckpointError, match="not a chestxray checkpoint"):
        checkpoints.read_card(path)


def test_loading_a_checkpoint_never_unpickles(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return exec, ("raise SystemExit('unpickled')",)

    path = tmp_path / "bomb.safetensors"
    path.write_bytes(pickle.dumps(Bomb()))

    with pytest.raises(CheckpointError):
        checkpoints.load(path, XRayFilterNet())


def test_interrupted_save_keeps_the_old_file(
    random_filter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"old")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))

    with pytest.raises(KeyboardInterrupt):
        checkpoints.save(path, XRayFilterNet(), checkpoints.read_card(random_filter))
    assert path.read_bytes() == b"old"


def test_digest_equals_sha256sum(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")

    assert checkpoints.digest(path) == (
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
