"""All that an operator can set, read once from the environment, prefix CHESTXRAY_."""

from functools import cache
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Self

from pydantic import (
    DirectoryPath,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from chestxray.images import DEFAULT_LIMITS, Limits

LONGEST_REQUEST_SECONDS = 60
"""No deadline may be later; what waits or limits outside of ours does so beyond it."""

PREFIX = "CHESTXRAY_"
_SHORTEST_TOKEN = 16
_HERE = Path(__file__).parent
WEB = _HERE.parent / "web"
"""The page's files."""
SHIPPED_EXAMPLES = WEB / "examples"
"""Synthetic radiographs, made by code."""


class Settings(BaseSettings):
    """Every key, with its default and its meaning."""

    # What an error shows of the input may be the token; explain() shows the rest.
    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, hide_input_in_errors=True)

    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    """Where the networks run: auto takes the first CUDA device, or the CPU where there is none."""
    model_threads: int = Field(default=0, ge=0)
    """CPU threads of each of the two runners; 0 is one for each core."""
    filter_checkpoint: Path = _HERE / "xray_filter" / "weights.safetensors"
    """Weights and card of the X-ray filter."""
    classifier_checkpoint: Path = _HERE / "covid_classifier" / "weights.safetensors"
    """Weights and card of the COVID-19 classifier."""
    filter_digest: str = ""
    """sha256:... of the filter's file; empty takes it from the .sha256 beside it."""
    classifier_digest: str = ""
    """sha256:... of the classifier's file; empty takes it from the .sha256 beside it."""
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
    """Images in the house at once, whatever the speed; requests over it are answered 503."""
    queue_seconds: PositiveFloat = 2.0
    """Longest time that images should be in the house: as many are let in as are done in it."""
    max_bytes_in_flight: PositiveInt = 256 * 2**20
    """Bytes of request bodies in the house at once; a form needs twice as much while it is read."""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks whose X-Forwarded-For names the caller, and that may have any number of connections,
    as JSON: ["10.0.0.0/8"]."""
    decode_threads: PositiveInt = 2
    """Images decoded at the same time; each may need 11 bytes of memory per pixel."""
    request_timeout_seconds: float = Field(default=30.0, gt=0, le=LONGEST_REQUEST_SECONDS)
    """Longest time for one request; X-Request-Timeout-Ms may ask for less."""
    header_timeout_seconds: PositiveFloat = 10.0
    """Longest time from a connection's first byte to the end of a request's headers."""
    body_timeout_seconds: PositiveFloat = 10.0
    """Longest pause within a request's body."""
    keep_alive_seconds: PositiveFloat = 120.0
    """A connection may be idle so long between requests. Longer than a proxy in front keeps one, or
    requests are lost: nginx and AWS 60 s, nginx towards clients 75 s; Google's balancer 600 s."""
    max_connections: PositiveInt = 2048
    """Connections at once. At the bound the one that is idle longest makes way; where none is idle,
    only probes are answered to new ones."""
    max_connections_per_address: PositiveInt = 256
    """Connections at once of one address (IPv6: one /64 network) that is no trusted proxy."""

    hang_seconds: PositiveFloat = 10.0
    """A process that answers no probe for so long is killed and started again."""
    drain_delay_seconds: float = Field(default=3.0, ge=0)
    """Time for proxies to see that readiness is off; until it is over requests are still taken."""
    drain_timeout_seconds: PositiveFloat = LONGEST_REQUEST_SECONDS
    """Longest time for what is in flight to end once requests are no longer taken."""

    classifier_pods: str = Field(default="", pattern=r"^([\w.-]+:\d+)?$")
    """host:port whose every address is a pod that classifies; empty: the own runner does."""
    pod_timeout_seconds: PositiveFloat = 5.0
    """A classifier pod that takes longer for a batch is given up, and another is asked."""
    pod_token: SecretStr = SecretStr("")
    """What gateways and classifier pods know each other by, 16 characters or more; a secret."""

    otlp_endpoint: str = ""
    """Where traces are sent (OTLP over HTTP): http://collector:4318/v1/traces; empty: nowhere."""

    examples: DirectoryPath = SHIPPED_EXAMPLES
    """Folder of the images that the page offers to try; what lies there is shown to everyone."""
    frame_ancestors: str = Field(default="'self'", pattern=r"^[^;,\r\n]+$")
    """Sites that may embed the page, as in a Content-Security-Policy: https://portal.example."""

    @model_validator(mode="after")
    def _batches_fit(self) -> Self:
        if self.max_images_per_batch > self.max_images_in_flight:
            raise ValueError("max_images_per_batch is above max_images_in_flight")
        return self

    @field_validator("pod_token")
    @classmethod
    def _token_is_long(cls, token: SecretStr) -> SecretStr:
        if 0 < len(token.get_secret_value()) < _SHORTEST_TOKEN:
            raise ValueError(f"must have {_SHORTEST_TOKEN} characters or more")
        return token

    @model_validator(mode="after")
    def _pods_are_known(self) -> Self:
        if self.classifier_pods and not self.pod_token.get_secret_value():
            raise ValueError("classifier_pods needs pod_token")
        return self

    @property
    def checkpoints(self) -> tuple[tuple[Path, str], ...]:
        """Both models' files with the digests that they must have, in the order of asking."""
        return (
            (self.filter_checkpoint, self.filter_digest),
            (self.classifier_checkpoint, self.classifier_digest),
        )

    @property
    def limits(self) -> Limits:
        """What the decoder accepts."""
        return Limits(max_bytes=self.max_image_bytes, max_pixels=self.max_image_pixels)


@cache
def get_settings() -> Settings:
    """Reads the environment once per process. Raises ValidationError, which names the key."""
    return Settings()


def explain(error: ValidationError) -> str:
    """Names every variable that is wrong, with its value unless that is a secret."""
    return "; ".join(_explained(each) for each in error.errors())


def _explained(error: ErrorDetails) -> str:
    if not error["loc"]:  # two settings that do not go together; the message names them
        return error["msg"]
    key = str(error["loc"][0])
    secret = Settings.model_fields[key].annotation is SecretStr
    shown = "" if secret else f"={error['input']!r}"
    return f"{PREFIX}{key.upper()}{shown}: {error['msg']}"
