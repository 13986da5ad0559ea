"""A model as one safetensors file: its weights, and a card with all that serving needs to know."""

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
    """Training images as points in the projection, each with its class and without its picture."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    variance: tuple[float, ...]  # each axis's share of the whole
    labels: tuple[str, ...]
    points: tuple[tuple[float, ...], ...]


class Card(BaseModel):
    """What is stored beside the weights; serving restates none of it."""

    # A share of nothing is NaN, before and after it was written.
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
    """A card with what a network says of itself; training and evaluation add the rest."""
    return Card(
        name=name,
        version=version,
        architecture=network.architecture,
        preprocessing=network.preprocessing,
        labels=network.labels,
    )


def digest(path: Path) -> str:
    """Returns `sha256:` and the hexadecimal digest of the file."""
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def verified_digest(path: Path, wanted: str = "") -> str:
    """Returns the file's digest, which must be the wanted one.

    Without one it must be that of the `.sha256` file beside it, where there is such a file: weights
    whose bytes have changed still load, and answer something. Raises CheckpointError.
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
            f"{path} is corrupt or not the file that is meant: it has {found}; {wanted} is needed"
        )
    return found


def write_digest(path: Path) -> None:
    """Writes the `.sha256` file beside a checkpoint, as sha256sum does."""
    hexadecimal = digest(path).removeprefix("sha256:")
    path.with_suffix(DIGEST_SUFFIX).write_text(f"{hexadecimal}  {path.name}\n")


def save(path: Path, network: Any, card: Card) -> None:
    """Writes weights and card; the file appears whole or not at all."""
    from safetensors.torch import save_file

    tensors = {name: t.detach().cpu().contiguous() for name, t in network.state_dict().items()}
    _write(path, partial(save_file, tensors), card)


def save_arrays(path: Path, arrays: dict[str, npt.NDArray[Any]], card: Card) -> None:
    """The same of weights that are no network's."""
    from safetensors.numpy import save_file

    _write(path, partial(save_file, arrays), card)


def _write(path: Path, write: Callable[..., None], card: Card) -> None:
    unfinished = path.with_suffix(".partial")
    write(unfinished, metadata={_CARD_KEY: card.model_dump_json()})
    unfinished.chmod(0o644)  # the service may run as another user than the one who trained
    unfinished.replace(path)


def read_card(path: Path) -> Card:
    """Reads the card alone, without torch. Raises CheckpointError."""
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
        return Card.model_validate_json(metadata[_CARD_KEY])
    except (OSError, SafetensorError, KeyError, ValidationError) as error:
        raise CheckpointError(f"{path.name} is no checkpoint of chestxray: {error}") from error


def check_architecture(path: Path, wanted: str) -> None:
    """Raises CheckpointError where a checkpoint is of another architecture."""
    _check(path, read_card(path), "architecture", wanted)


def _check(path: Path, card: Card, fact: str, wanted: Any) -> None:
    held = getattr(card, fact)
    if held != wanted:
        raise CheckpointError(f"{path.name} has {fact} {held}; {wanted} is needed")


def load(path: Path, network: Network) -> Network:
    """Fills the network, which must be what the card says. Raises CheckpointError."""
    from safetensors.torch import load_model

    card = read_card(path)
    for fact in ("architecture", "preprocessing", "labels"):
        _check(path, card, fact, getattr(network, fact))
    try:
        load_model(network, path)  # type: ignore[arg-type]
    except (RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"{path.name} does not fit {card.architecture}: {error}") from error
    return network
