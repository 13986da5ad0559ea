"""The settings of kept analyses: where they are, how long, and how they are protected."""

import base64
import binascii
import re
from typing import Self
from urllib.parse import parse_qsl, urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    SecretStr,
    field_validator,
    model_validator,
)

from bentos.settings_checks import variable_of

_DATABASE = re.compile(r"postgresql://\S+")
_PARAMETERS = ("sslmode", "host")
_SSL_MODES = ("disable", "prefer", "require", "verify-ca", "verify-full")
_OBJECT_STORE = r"^(s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[\w.-]+)*)?$"
_KEY = re.compile(r"([A-Za-z0-9_-]{1,16}):([A-Za-z0-9+/]{43}=)")
SHORTEST_SECRET = 32
MAX_RETENTION_HOURS = 10 * 366 * 24
"""Ten years; a longer retention is probably a mistake of units."""


class HistorySettings(BaseModel):
    """Every setting of kept analyses."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    data_folder: str = ""
    """Folder of the SQLite database and of the pictures of kept analyses; only our user can read
    it. Empty: both `database` and `object_store` are needed, and without them no analysis can be
    kept. `make serve` sets it to data."""
    database: SecretStr = SecretStr("")
    """Address of a PostgreSQL database for the records, postgresql://user:password@host/name.
    With ?sslmode=require behind it, or verify-full and PGSSLROOTCERT, the connection is encrypted.
    Empty: SQLite in `data_folder`, for one gateway. `chestxray migrate` creates the tables."""
    object_store: str = Field(default="", pattern=_OBJECT_STORE)
    """Bucket for the pictures, s3://bucket or s3://bucket/folder. Its endpoint, region and
    credentials are in the usual variables, AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and
    AWS_SECRET_ACCESS_KEY. Empty: files in `data_folder`."""
    encryption_keys: SecretStr = SecretStr("")
    """Keys that pictures are encrypted with (AES-256-GCM), as name:base64 of 32 bytes, separated by
    commas. The first encrypts; the others only decrypt, until `chestxray rotate-encryption` has
    replaced them. Empty: pictures are not encrypted by this service."""
    cookie_secret: SecretStr = SecretStr("")
    """Secret of 32 characters or more that signs the cookies of visitors; all gateways need the
    same. Empty: one in `data_folder`, made at the first start."""
    anonymous: bool = True
    """Whether images are analysed for those without an API key who have not signed in. Otherwise
    they are answered 401; DICOM peers are admitted by their address. `chestxray keys` makes
    keys."""
    retention_hours: int = Field(default=24, ge=1, le=MAX_RETENTION_HOURS)
    """How long an analysis is kept, unless its key says otherwise; then it is deleted."""
    max_kept_per_caller: PositiveInt = 10_000
    """Most analyses kept at once for one key or visitor; 403 above it."""
    max_kept_bytes: PositiveInt = 16 * 2**30
    """Size limit of all kept pictures; above it no further analysis is kept, and 503 answered."""
    max_job_images: int = Field(default=10_000, ge=1, le=10_000)
    """Most images in one job; 400 above it."""
    max_job_bytes: PositiveInt = 4 * 2**30
    """Size limit of the body of one job, and of its images together; 413 above it. A zip file is
    written to the folder for temporary files first."""
    max_waiting_bytes: PositiveInt = 32 * 2**30
    """Size limit of the images that wait in all jobs; above it no further job is taken, and 503
    answered."""

    @field_validator("database")
    @classmethod
    def _is_postgresql(cls, address: SecretStr) -> SecretStr:
        text = address.get_secret_value()
        if text and not (_DATABASE.fullmatch(text) and _has_port_or_none(text)):
            raise ValueError("must be postgresql://user:password@host/name")
        for name, value in parse_qsl(urlsplit(text).query, keep_blank_values=True):
            if name not in _PARAMETERS or (name == "sslmode" and value not in _SSL_MODES):
                raise ValueError(f"may end with ?sslmode={'|'.join(_SSL_MODES)} and nothing else")
        return address

    @field_validator("encryption_keys")
    @classmethod
    def _keys_are_keys(cls, keys: SecretStr) -> SecretStr:
        parse_keys(keys.get_secret_value())
        return keys

    @field_validator("cookie_secret")
    @classmethod
    def _secret_is_long(cls, secret: SecretStr) -> SecretStr:
        if 0 < len(secret.get_secret_value()) < SHORTEST_SECRET:
            raise ValueError(f"must have {SHORTEST_SECRET} characters or more")
        return secret

    @model_validator(mode="after")
    def _both_parts_have_a_place(self) -> Self:
        given = {
            "database": bool(self.database.get_secret_value()),
            "object_store": bool(self.object_store),
            "cookie_secret": bool(self.cookie_secret.get_secret_value()),
        }
        partly = given["database"] or given["object_store"]
        if not self.data_folder and partly and not all(given.values()):
            missing = ", ".join(variable_of(name) for name, found in given.items() if not found)
            raise ValueError(f"without {variable_of('data_folder')}, {missing} must be set, too")
        if not self.anonymous and not self.keeps:
            raise ValueError(f"{variable_of('anonymous')}=false needs a place for the keys")
        return self

    @property
    def keeps(self) -> bool:
        """Whether analyses can be kept."""
        return bool(self.data_folder or self.object_store)


def _has_port_or_none(address: str) -> bool:
    """Without the error itself, which may quote a part of the password."""
    try:
        _ = urlsplit(address).port
    except ValueError:
        return False
    return True


def parse_keys(text: str) -> dict[str, bytes]:
    """Returns keys of 32 bytes by their names, in their order. Raises ValueError."""
    keys: dict[str, bytes] = {}
    for each in text.split(",") if text else ():
        found = _KEY.fullmatch(each.strip())
        if not found or found[1] in keys:
            raise ValueError(
                "must be name:key, separated by commas: the name once, of up to 16 letters and "
                "digits; the key 32 bytes in base64, as openssl rand -base64 32 makes it"
            )
        try:
            keys[found[1]] = base64.b64decode(found[2], validate=True)
        except binascii.Error as error:
            raise ValueError("the key is not base64") from error
    return keys
