"""A model as one safetensors file: the weights, and a card with everything that serving needs."""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy.typing as npt
import safetensors
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError

from chestxray.errors import CheckpointError
from chestxray.preprocessing import Preprocessing

Network = TypeVar("Network")

_CARD_KEY = "chestxray.card"
DIGEST_SUFFIX = ".sha256"


class Reference(BaseModel):
    """Projected embeddings of training images with their classes, without the images."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    variance: tuple[float, ...]  # explained by each axis, as a share of the total
    labels: tuple[str, ...]
    points: tuple[tuple[float, ...], ...]


class Card(BaseModel):
    """Metadata stored with the weights; serving has no second copy of it."""

    # Metrics of an empty group are NaN and must survive serialisation.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    name: str
    version: str
    architecture: str
    preprocessing: Preprocessing
    labels: tuple[str, ...]
    temperature: float = 1.0
    thresholds: dict[str, float] = {}
    training: dict[str, Any] = {}
    metrics: dict[str, Any] = {}
    data_digests: dict[str, str] = {}
    caveats: tuple[str, ...] = ()
    reference: Reference | None = None


def card_of(network: Any, *, name: str, version: str) -> Card:
    """Creates a card from a network's attributes; training and evaluation add the rest."""
    return Card(
        name=name,
        version=version,
        architecture=network.architecture,
        preprocessing=network.preprocessing,
        labels=network.labels,
    )


def digest(path: Path) -> str:
    """Returns `sha256:` followed by the file's hexadecimal digest."""
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def verified_digest(path: Path, wanted: str = "") -> str:
    """Verifies the file against a digest and returns its digest. Raises CheckpointError.

    Without `wanted`, verifies against the `.sha256` file of the same name, if there is one:
    corrupted weights would load and predict without an error.
    """
    try:
        found = digest(path)
        beside = path.with_suffix(DIGEST_SUFFIX)
        if not wanted and beside.exists():
            wanted = f"sha256:{beside.read_text().split()[0]}"
    except (OSError, IndexError) as error:
        raise CheckpointError(f"{path} cannot be verified: {error}") from error
    if wanted and found != wanted:
        raise CheckpointError(
            f"{path} is corrupt or the wrong file: its digest is {found}, expected {wanted}"
        )
    return found


def write_digest(path: Path) -> None:
    """Writes the `.sha256` file of a checkpoint, in the format of sha256sum."""
    hexadecimal = digest(path).removeprefix("sha256:")
    path.with_suffix(DIGEST_SUFFIX).write_text(f"{hexadecimal}  {path.name}\n")


def save(path: Path, network: Any, card: Card) -> None:
    """Writes weights and card atomically."""
    from safetensors.torch import save_file

    tensors = {name: t.detach().cpu().contiguous() for name, t in network.state_dict().items()}
    _write(path, partial(save_file, tensors), card)


def save_arrays(path: Path, arrays: dict[str, npt.NDArray[Any]], card: Card) -> None:
    """Writes arrays and card, for weights that no PyTorch network holds."""
    from safetensors.numpy import save_file

    _write(path, partial(save_file, arrays), card)


def _write(path: Path, write: Callable[..., None], card: Card) -> None:
    unfinished = path.with_suffix(".partial")
    write(unfinished, metadata={_CARD_KEY: card.model_dump_json()})
    unfinished.chmod(0o644)  # training and the service may run as different users
    unfinished.replace(path)


def read_card(path: Path) -> Card:
    """Reads only the card, without torch. Raises CheckpointError."""
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
        return Card.model_validate_json(metadata[_CARD_KEY])
    except (OSError, SafetensorError, KeyError, ValidationError) as error:
        raise CheckpointError(f"{path.name} is not a chestxray checkpoint: {error}") from error


def check_architecture(path: Path, wanted: str) -> None:
    """Raises CheckpointError if the checkpoint has a different architecture."""
    _check(path, read_card(path), "architecture", wanted)


def _check(path: Path, card: Card, attribute: str, expected: Any) -> None:
    value = getattr(card, attribute)
    if value != expected:
        raise CheckpointError(f"{path.name} has {attribute} {value}; {expected} is needed")


def load(path: Path, network: Network) -> Network:
    """Loads the weights into a network that matches the card. Raises CheckpointError."""
    from safetensors.torch import load_model

    card = read_card(path)
    for attribute in ("architecture", "preprocessing", "labels"):
        _check(path, card, attribute, getattr(network, attribute))
    try:
        load_model(network, path)  # type: ignore[arg-type]
    except (RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"{path.name} does not fit {card.architecture}: {error}") from error
    return network
