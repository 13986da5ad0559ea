"""All that an operator can set, read once from the environment, prefix CHESTXRAY_."""

import re
import sys
from collections.abc import Iterator
from functools import cache
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import NoReturn, Self

from pydantic import (
    DirectoryPath,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bentos import settings_checks
from bentos.process import heartbeat
from bentos.settings_checks import variable_of
from chestxray import quantised
from chestxray.confinement import DEFAULT_WALL, Wall
from chestxray.errors import CheckpointError
from chestxray.images import DEFAULT_LIMITS, Limits
from chestxray.quantised import Precision

LONGEST_REQUEST_SECONDS = 60
"""No deadline may be later; what waits or limits outside of ours does so beyond it."""

PATH_PREFIX = r"^(/[A-Za-z0-9_.~-]+)*$"
"""What a path prefix is: segments, each behind a slash."""
_ORIGIN = re.compile(r"\*|[a-z][a-z0-9+.-]*://[a-z0-9.-]+(:\d+)?|[a-z]+://\[[0-9a-f:]+\](:\d+)?")
"""As browsers spell it: in lower case, without a path."""
PREFIX = settings_checks.PREFIX
_CANNOT_START = 2
"""The exit status; what a process dies of later is another."""
_SHORTEST_TOKEN = 16
_HEARTBEATS = 2
"""As many may be late before a process is taken for hung."""
_HERE = Path(__file__).parent
WEB = _HERE.parent / "web"
"""The page's files."""
SHIPPED_EXAMPLES = WEB / "examples"
"""Synthetic radiographs, made by code."""


class Settings(BaseSettings):
    """Every key, with its default and its meaning."""

    # What an error shows of the input may be the token; explain() shows the rest.
    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, hide_input_in_errors=True, allow_inf_nan=False
    )

    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    """Where the networks run: auto takes the first CUDA device, or the CPU where there is none."""
    model_threads: int = Field(default=0, ge=0)
    """CPU threads of each of the two runners; 0 is one for each core."""
    filter_checkpoint: Path = _HERE / "xray_filter" / "weights.safetensors"
    """Weights and card of the X-ray filter."""
    classifier_checkpoint: Path = _HERE / "covid_classifier" / "weights.safetensors"
    """Weights and card of the COVID-19 classifier."""
    precision: Precision = "float32"
    """The classifier's arithmetic: float32, or int8 on CPUs with VNNI: twice as fast, another file,
    whose name ends in _int8, and slightly other answers."""
    filter_digest: str = ""
    """sha256:... of the filter's file; empty takes it from the .sha256 beside it."""
    classifier_digest: str = ""
    """sha256:... of the classifier's file; empty takes it from the .sha256 beside it."""
    max_model_batch: PositiveInt = 16
    """Images that a runner takes at once; more gain nothing on a CPU, raise it for a GPU."""

    max_image_bytes: PositiveInt = DEFAULT_LIMITS.max_bytes
    """Size of one image file."""
    max_image_pixels: PositiveInt = DEFAULT_LIMITS.max_pixels
    """Width times height of one image; three quarters of it for WebP, whose decoder needs more."""
    max_images_per_batch: PositiveInt = 16
    """Images in one request to the batch route."""
    max_batch_bytes: PositiveInt = 96 * 2**20
    """Size of the body of one request to the batch route."""

    max_images_in_flight: PositiveInt = 128
    """Images in the house at once, whatever the speed; requests over it are answered 503."""
    queue_seconds: PositiveFloat = 2.0
    """Longest time that images should be in the house: as many are let in as are done in it."""
    max_bytes_in_flight: PositiveInt = 256 * 2**20
    """Bytes of request bodies in the house at once."""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks whose X-Forwarded-For names the caller, and that may have any number of connections,
    as JSON: ["10.0.0.0/8"]."""
    decode_processes: PositiveInt = 2
    """Images decoded at the same time, each in a process of its own."""
    decode_seconds: PositiveFloat = DEFAULT_WALL.seconds
    """Processor time that one image may take; the process is killed then, and another started."""
    decode_memory_bytes: PositiveInt = DEFAULT_WALL.memory
    """Memory that decoding one image may take, the bytes of its file included."""
    request_timeout_seconds: float = Field(default=30.0, gt=0, le=LONGEST_REQUEST_SECONDS)
    """Longest time for one request; X-Request-Timeout-Ms may ask for less."""
    header_timeout_seconds: PositiveFloat = 10.0
    """Longest time from a connection's first byte to the end of a request's headers."""
    body_timeout_seconds: PositiveFloat = 10.0
    """In each such time at least 8 KiB per second of a request's body must come."""
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
    root_path: str = Field(default="", pattern=PATH_PREFIX)
    """Path that a reverse proxy serves this under and takes off, as in /xray; X-Forwarded-Prefix of
    a trusted proxy goes before it."""
    cors_origins: tuple[str, ...] = ()
    """Sites whose pages may call the API from a browser, as JSON: ["https://portal.example"]; ["*"]
    allows every site."""
    frame_ancestors: str = Field(default="'self'", pattern=r"^[^;,\r\n]+$")
    """Sites that may embed the page, as in a Content-Security-Policy: https://portal.example."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Nothing but the environment, all of it."""
        return init_settings, settings_checks.Environment(settings_cls)

    @field_validator("*")
    @classmethod
    def _is_bounded(cls, value: object, info: ValidationInfo) -> object:
        settings_checks.check_bounds(str(info.field_name), value)
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins_are_exact(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [each for each in origins if not _ORIGIN.fullmatch(each)]:
            raise ValueError(f"{wrong[0]!r} is no origin; write https://host or https://host:port")
        return origins

    @field_validator("pod_token")
    @classmethod
    def _token_is_long(cls, token: SecretStr) -> SecretStr:
        text = token.get_secret_value()
        if 0 < len(text) < _SHORTEST_TOKEN:
            raise ValueError(f"must have {_SHORTEST_TOKEN} characters or more")
        return SecretStr(_printable(text))  # it goes into a header

    @field_validator("frame_ancestors")
    @classmethod
    def _fits_into_a_header(cls, value: str) -> str:
        return _printable(value)

    @field_validator("classifier_pods")
    @classmethod
    def _port_exists(cls, value: str) -> str:
        if value and not 0 < int(value.rpartition(":")[2]) < 2**16:
            raise ValueError("a port is between 1 and 65535")
        return value

    @field_validator("otlp_endpoint")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if value and not re.fullmatch(r"https?://[^\s/]+(/\S*)?", value):
            raise ValueError("must be an address that begins with http:// or https://")
        return value

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        pairs = (
            ("max_images_per_batch", "max_images_in_flight"),
            ("max_image_bytes", "max_batch_bytes"),
            ("max_batch_bytes", "max_bytes_in_flight"),
            ("request_timeout_seconds", "drain_timeout_seconds"),
        )
        faults = [
            f"{variable_of(low)}={getattr(self, low)} is above "
            f"{variable_of(high)}={getattr(self, high)}"
            for low, high in pairs
            if getattr(self, low) > getattr(self, high)
        ]
        if self.classifier_pods and not self.pod_token.get_secret_value():
            faults.append(f"{variable_of('classifier_pods')} needs {variable_of('pod_token')}")
        if self.classifier_pods and self.pod_timeout_seconds >= self.request_timeout_seconds:
            longer, limit = (
                variable_of("pod_timeout_seconds"),
                variable_of("request_timeout_seconds"),
            )
            faults.append(
                f"{longer} must be below {limit}: a pod that hangs would cost its requests"
            )
        if self.hang_seconds < _HEARTBEATS * heartbeat.SECONDS:
            least = f"{_HEARTBEATS * heartbeat.SECONDS:g}"
            faults.append(f"{variable_of('hang_seconds')} must be at least {least}")
        if self.precision == "int8":
            faults += self._int8_faults()
        if faults:
            raise ValueError("\n".join(faults))
        return self

    def _int8_faults(self) -> Iterator[str]:
        """What keeps the int8 classifier from running here; pods, where there are some, run it."""
        variable = f"{variable_of('precision')}=int8"
        if self.device not in ("auto", "cpu"):
            yield f"{variable} runs on a CPU, not on {variable_of('device')}={self.device}"
        if not self.classifier_file.is_file():
            yield f"{variable} needs {self.classifier_file}, which `make quantise` makes"
        if not self.classifier_pods:
            try:
                quantised.check_cpu()
            except CheckpointError as error:
                yield str(error)

    @property
    def checkpoints(self) -> tuple[tuple[Path, str], ...]:
        """Both models' files with the digests that they must have, in the order of asking."""
        return (
            (self.filter_checkpoint, self.filter_digest),
            (self.classifier_file, self.classifier_digest),
        )

    @property
    def classifier_file(self) -> Path:
        """The classifier's file in the precision that is asked for."""
        return quantised.file_in(self.precision, self.classifier_checkpoint)

    @property
    def limits(self) -> Limits:
        """What the decoder accepts."""
        return Limits(max_bytes=self.max_image_bytes, max_pixels=self.max_image_pixels)

    @property
    def wall(self) -> Wall:
        """What one image may take of a decoder."""
        return Wall(self.decode_seconds, self.decode_memory_bytes)


@cache
def get_settings() -> Settings:
    """Reads the environment once per process. Raises ValidationError, which names the key."""
    return Settings()


def settings_or_exit() -> Settings:
    """Reads the environment, or ends this process with a line for every fault."""
    try:
        return get_settings()
    except ValidationError as error:
        give_up(*explain(error))


def give_up(*reasons: str) -> NoReturn:
    """Ends this process, which cannot start; each reason is a line."""
    sys.stderr.writelines(f"chestxray cannot start: {why}\n" for why in reasons)
    sys.exit(_CANNOT_START)


def explain(error: ValidationError) -> list[str]:
    """A line for every fault, which names the variable, with its value unless that is a secret."""
    return settings_checks.explain(error, Settings)


def _printable(text: str) -> str:
    if not (text.isascii() and text.isprintable()):
        raise ValueError("must be printable ASCII characters")
    return text
