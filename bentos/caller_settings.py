"""The settings of callers: what they may send, and the record of what they did."""

import re

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

_STORE = re.compile(r"rediss?://[^\s,]+")


class CallerSettings(BaseModel):
    """Every setting of quotas and of the audit file."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    key_images_per_minute: int = Field(default=0, ge=0)
    """Images that the holder of an API key may send in a minute, unless the key says otherwise; 429
    above it. 0: no quota."""
    visitor_images_per_minute: int = Field(default=0, ge=0)
    """The same for one client address (IPv6: one /64 network) without a key, or for one person who
    has signed in. 0: no quota; capacity is shared fairly in any case."""
    key_job_images_per_day: int = Field(default=0, ge=0)
    """Images that the holder of an API key may send in jobs in a day; 429 above it. Jobs do not use
    up images_per_minute. 0: no quota."""
    visitor_job_images_per_day: int = Field(default=0, ge=0)
    """The same for one client address without a key, or for one person who has signed in. 0: no
    quota."""
    quota_store: SecretStr = SecretStr("")
    """Address of a Redis or Valkey, redis://user:password@host:6379/0 or rediss:// with TLS, in
    which all gateways count together; it has addresses of clients for two minutes, and for two days
    where visitors' jobs have a quota. Empty, and while it does not answer: each gateway counts for
    itself, in memory."""
    audit_file: str = ""
    """File to which a line of JSON is appended for whatever is done to a kept analysis, a job or a
    key. It may be moved while the service runs. Empty: none."""

    @field_validator("quota_store")
    @classmethod
    def _is_redis(cls, address: SecretStr) -> SecretStr:
        text = address.get_secret_value()
        if text and not _STORE.fullmatch(text):
            raise ValueError("must be redis://user:password@host:6379/0, or rediss:// with TLS")
        return address
