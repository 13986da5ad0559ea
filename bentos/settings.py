"""All settings, read once from the environment; docs/settings.md is generated from them."""

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
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bentos import settings_checks
from bentos.caller_settings import CallerSettings
from bentos.dicom_settings import DicomSettings
from bentos.history_settings import HistorySettings
from bentos.logs.lines import Format, Level
from bentos.portal_settings import EVERY_ORIGIN, PortalSettings
from bentos.process import heartbeat
from bentos.settings_checks import variable_of
from bentos.sign_in_settings import SignInSettings
from bentos.webhook_settings import WebhookSettings
from chestxray import quantised
from chestxray.confinement import DEFAULT_PROCESS_LIMITS, ProcessLimits
from chestxray.limits import DEFAULT_LIMITS, Limits
from chestxray.quantised import Precision

LONGEST_REQUEST_SECONDS = 60
"""No deadline may be later; what waits or limits outside of ours does so beyond it."""

PATH_PREFIX = r"^(/[A-Za-z0-9_.~-]+)*$"
"""What a path prefix is: segments, each behind a slash."""
PREFIX = settings_checks.PREFIX
AT_MOST = (
    ("max_images_per_batch", "max_images_in_flight"),
    ("max_image_bytes", "max_batch_bytes"),
    ("max_batch_bytes", "max_bytes_in_flight"),
    ("request_timeout_seconds", "drain_timeout_seconds"),
)
"""Pairs of settings of which the first may not be above the second."""
_SHORTEST_TOKEN = 16
_HERE = Path(__file__).parent
WEB = _HERE.parent / "web"
"""The page's files."""
SHIPPED_EXAMPLES = WEB / "examples"
"""Synthetic radiographs, made by code."""


class Settings(
    PortalSettings,
    CallerSettings,
    SignInSettings,
    HistorySettings,
    WebhookSettings,
    DicomSettings,
    BaseSettings,
):
    """Every setting with its default, bounds and meaning; those of the DICOM node, of kept
    analyses, of callers, of the sign-in, of webhooks and of portals are inherited."""

    # What an error shows of the input may be the token; explain() shows the rest.
    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,  # tools/ writes docs/settings.md and the ConfigMap from them
    )

    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    """Device of the models. `auto`: the first CUDA device, or the CPU if there is none."""
    model_threads: int = Field(default=0, ge=0)
    """CPU threads of each of the two models. 0: one for each core that the process may use, by its
    affinity and its cgroup's CPU quota."""
    filter_checkpoint: Path = _HERE / "xray_filter" / "weights.safetensors"
    """Checkpoint of the X-ray filter: weights and model card."""
    classifier_checkpoint: Path = _HERE / "covid_classifier" / "weights.safetensors"
    """Checkpoint of the COVID-19 classifier: weights and model card."""
    precision: Precision = "float32"
    """Arithmetic of the classifier. `int8` is about twice as fast, needs a CPU with VNNI, and loads
    the checkpoint whose name ends in _int8; its probabilities differ slightly."""
    filter_digest: str = ""
    """Required digest of the filter's checkpoint, as sha256:... Empty: the one in the .sha256 file
    next to it."""
    classifier_digest: str = ""
    """Required digest of the classifier's checkpoint, as sha256:... Empty: the one in the .sha256
    file next to it."""
    max_model_batch: PositiveInt = 16
    """Maximum batch size of a model on a GPU. On a CPU every core takes one image at a time."""

    max_image_bytes: PositiveInt = DEFAULT_LIMITS.max_bytes
    """Size limit of one image file; a larger one is answered 413."""
    max_image_pixels: PositiveInt = DEFAULT_LIMITS.max_pixels
    """Limit of width times height of one image; 413 above it. For WebP it is three quarters of
    this, because its decoder needs more memory."""
    secondary_captures: bool = DEFAULT_LIMITS.secondary_capture
    """Whether DICOM's secondary captures are analysed: radiographs that were exported or scanned,
    but screenshots and results of other programs, too. Otherwise they are answered 415."""
    max_images_per_batch: PositiveInt = 16
    """Most images in one request to the batch route; 400 above it."""
    max_batch_bytes: PositiveInt = 96 * 2**20
    """Size limit of the body of one request to the batch route; 413 above it."""

    max_images_in_flight: PositiveInt = 128
    """Hard limit of images in flight; further requests are answered 503 with Retry-After."""
    max_queue_seconds: PositiveFloat = 2.0
    """A request whose predicted queueing time is longer is answered 503 with Retry-After. The
    prediction follows the measured throughput."""
    max_bytes_in_flight: PositiveInt = 256 * 2**20
    """Hard limit of bytes of request bodies in flight; 503 with Retry-After above it."""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks of reverse proxies, as JSON: ["10.0.0.0/8"]. Their X-Forwarded-For and
    X-Forwarded-Prefix are believed, and max_connections_per_address does not apply to them."""
    decode_processes: PositiveInt = 2
    """Worker processes that decode images, one image at a time each."""
    decode_cpu_seconds: PositiveFloat = DEFAULT_PROCESS_LIMITS.seconds
    """CPU time limit for decoding one image. A worker that exceeds it is killed and replaced."""
    decode_memory_bytes: PositiveInt = DEFAULT_PROCESS_LIMITS.memory
    """Memory limit for decoding one image, the bytes of its file included."""
    request_timeout_seconds: float = Field(default=30.0, gt=0, le=LONGEST_REQUEST_SECONDS)
    """Deadline of a request; a client may ask for an earlier one by X-Request-Timeout-Ms."""
    header_timeout_seconds: PositiveFloat = 10.0
    """Longest time from the first byte of a request to the end of its headers, and from the opening
    of a connection to its first request."""
    body_timeout_seconds: PositiveFloat = 10.0
    """In each interval of this length a request body must bring at least 8 KiB per second, and a
    client must read part of its response; otherwise the connection is closed."""
    keep_alive_timeout_seconds: PositiveFloat = 120.0
    """An idle connection is closed after this time. It must be longer than the idle timeout of a
    proxy in front, or requests are lost: nginx 60 s to upstreams and 75 s to clients, AWS 60 s,
    Google Cloud 600 s."""
    max_connections: PositiveInt = 2048
    """Hard limit of open connections. At the limit the connection that has been idle longest is
    closed; if none is idle, new connections are answered 503, except for probes."""
    max_connections_per_address: PositiveInt = 256
    """Limit of open connections from one client address (IPv6: one /64 network); trusted proxies
    have no such limit."""

    heartbeat_timeout_seconds: float = Field(default=10.0, ge=2 * heartbeat.SECONDS)
    """Seconds without a heartbeat after which a worker process is killed and restarted."""
    drain_delay_seconds: float = Field(default=3.0, ge=0)
    """At shutdown, the time between readiness turning off and the end of accepting requests, in
    which load balancers take this instance out."""
    drain_timeout_seconds: PositiveFloat = LONGEST_REQUEST_SECONDS
    """At shutdown, the longest wait for requests in flight, after the drain delay."""

    log_format: Format = "text"
    """Form of the log: `text` for people, `json` for collectors, one object on each line."""
    log_level: Level = "info"
    """Lowest level of the log. `info` has a line for each request, `debug` has the scrapes of
    /metrics, too. What libraries say below `warning` is left out, but for BentoML's `info`."""

    classifier_pods: str = Field(default="", pattern=r"^([\w.-]+:\d+)?$")
    """host:port of the headless Service of the classifier pods. Empty: the gateway's own model
    classifies."""
    pod_timeout_seconds: PositiveFloat = 5.0
    """Time in which a classifier pod must answer an image, if only to refuse it. A pod that is
    silent for longer is closed, and the local model answers. Must be below
    request_timeout_seconds."""
    pod_token: SecretStr = SecretStr("")
    """Shared secret of gateways and classifier pods, 16 characters or more; required for both."""
    pod_token_previous: SecretStr = SecretStr("")
    """Another token that a classifier pod accepts, while `pod_token` is being replaced; 16
    characters or more."""

    examples: DirectoryPath = SHIPPED_EXAMPLES
    """Folder of the example images on the page; every visitor can see every file in it."""
    root_path: str = Field(default="", pattern=PATH_PREFIX)
    """Path prefix that a reverse proxy strips, such as /xray. X-Forwarded-Prefix of a trusted proxy
    takes precedence."""

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

    @field_validator("pod_token", "pod_token_previous")
    @classmethod
    def _token_is_long(cls, token: SecretStr) -> SecretStr:
        text = token.get_secret_value()
        if 0 < len(text) < _SHORTEST_TOKEN:
            raise ValueError(f"must have {_SHORTEST_TOKEN} characters or more")
        return SecretStr(settings_checks.printable(text))  # it goes into a header

    @field_validator("classifier_pods")
    @classmethod
    def _port_exists(cls, value: str) -> str:
        if value and not 0 < int(value.rpartition(":")[2]) < 2**16:
            raise ValueError("a port is between 1 and 65535")
        return value

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        faults = [
            f"{variable_of(low)}={getattr(self, low)} is above "
            f"{variable_of(high)}={getattr(self, high)}"
            for low, high in AT_MOST
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
        if self.signs_in and not self.keeps:
            faults.append(f"{variable_of('oidc_issuer')} needs a place for kept analyses")
        if self.keeps and EVERY_ORIGIN in self.cors_origins:
            faults.append(
                f"{variable_of('cors_origins')} must name origins where analyses are kept: their "
                "cookies are not for every site"
            )
        if self.precision == "int8":
            faults += settings_checks.int8_faults(self.device, self.classifier_file)
        if faults:
            raise ValueError("\n".join(faults))
        return self

    @property
    def checkpoints(self) -> tuple[tuple[Path, str], ...]:
        """Both models' files with the digests that they must have, in the order of asking."""
        return (
            (self.filter_checkpoint, self.filter_digest),
            (self.classifier_file, self.classifier_digest),
        )

    @property
    def classifier_file(self) -> Path:
        """The classifier's checkpoint in the configured precision."""
        return quantised.file_in(self.precision, self.classifier_checkpoint)

    @property
    def limits(self) -> Limits:
        """What the decoder accepts."""
        return Limits(
            max_bytes=self.max_image_bytes,
            max_pixels=self.max_image_pixels,
            secondary_capture=self.secondary_captures,
        )

    @property
    def process_limits(self) -> ProcessLimits:
        """What one image may take of a decoder."""
        return ProcessLimits(self.decode_cpu_seconds, self.decode_memory_bytes)


@cache
def get_settings() -> Settings:
    """Reads the environment once per process. Raises ValidationError, which names the key."""
    return Settings()


def explain(error: ValidationError) -> list[str]:
    """A line for every fault, which names the variable, with its value unless that is a secret."""
    return settings_checks.explain(error, Settings)
