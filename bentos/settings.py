"""All that an operator can set, read once from the environment, prefix CHESTXRAY_."""

from functools import cache
from pathlib import Path
from typing import Self

from pydantic import DirectoryPath, Field, PositiveInt, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from chestxray.images import DEFAULT_LIMITS, Limits

LONGEST_REQUEST_SECONDS = 60
"""No deadline may be later; what waits or limits outside of ours does so beyond it."""

_HERE = Path(__file__).parent
WEB = _HERE.parent / "web"
"""The page's files."""
SHIPPED_EXAMPLES = WEB / "examples"
"""Synthetic radiographs, made by code."""


class Settings(BaseSettings):
    """Every key, with its default and its meaning."""

    model_config = SettingsConfigDict(env_prefix="CHESTXRAY_", frozen=True)

    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    """Where the networks run: auto takes the first CUDA device, or the CPU where there is none."""
    torch_threads: int = Field(default=0, ge=0)
    """CPU threads of each model runner; 0 leaves the choice to torch."""
    filter_checkpoint: Path = _HERE / "xray_filter" / "weights.safetensors"
    """Weights and card of the X-ray filter."""
    classifier_checkpoint: Path = _HERE / "covid_classifier" / "weights.safetensors"
    """Weights and card of the COVID-19 classifier."""
    max_model_batch: PositiveInt = 16
    """Images that a runner takes at once; more gain nothing on a CPU, raise it for a GPU."""

    max_image_bytes: PositiveInt = DEFAULT_LIMITS.max_bytes
    """Size of one image file."""
    max_image_pixels: PositiveInt = DEFAULT_LIMITS.max_pixels
    """Width times height of one image; a quarter of it for WebP, whose decoder needs more."""
    max_images_per_batch: PositiveInt = 16
    """Images in one request to the batch route."""
    max_batch_bytes: PositiveInt = 64 * 2**20
    """Size of the body of one request to the batch route."""

    max_images_in_flight: PositiveInt = 128
    """Images in the house at once; requests over it are answered 503."""
    max_bytes_in_flight: PositiveInt = 256 * 2**20
    """Bytes of request bodies in the house at once; a form needs twice as much while it is read."""
    decode_threads: PositiveInt = 2
    """Images decoded at the same time; each may need 6 bytes of memory per pixel."""
    request_timeout_seconds: float = Field(default=30.0, gt=0, le=LONGEST_REQUEST_SECONDS)
    """Longest time for one request; X-Request-Timeout-Ms may ask for less."""

    examples: DirectoryPath = SHIPPED_EXAMPLES
    """Folder of the images that the page offers to try; what lies there is shown to everyone."""
    frame_ancestors: str = Field(default="'self'", pattern=r"^[^;,\r\n]+$")
    """Sites that may embed the page, as in a Content-Security-Policy: https://portal.example."""

    @model_validator(mode="after")
    def _batches_fit(self) -> Self:
        if self.max_images_per_batch > self.max_images_in_flight:
            raise ValueError("max_images_per_batch is above max_images_in_flight")
        return self

    @property
    def limits(self) -> Limits:
        """What the decoder accepts."""
        return Limits(max_bytes=self.max_image_bytes, max_pixels=self.max_image_pixels)


@cache
def get_settings() -> Settings:
    """Reads the environment once per process. Raises ValidationError, which names the key."""
    return Settings()
