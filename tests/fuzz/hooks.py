"""Schemathesis hooks: uploads of every kind, damaged ones and random bytes; and its timeouts."""

from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis.transport.serialization import Binary

from tests.fuzz import corpus
from tests.fuzz.worker import image_of

_WHOLE = list(corpus.make().values())
_FILES = st.one_of(
    st.sampled_from(_WHOLE), st.integers(0, 10**6).map(image_of), st.binary(min_size=1)
).filter(bool)

schemathesis.openapi.format("binary", _FILES.map(Binary))
schemathesis.openapi.media_type("application/octet-stream", _FILES)

_DEADLINE = "X-Request-Timeout-Ms"
_PATIENCE = 10_000  # milliseconds: nearly all generated deadlines pass before any response


@schemathesis.hook
def before_call(context: Any, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    value = str(case.headers.get(_DEADLINE, ""))
    if value.isascii() and value.isdigit() and 0 < int(value) < _PATIENCE:
        case.headers[_DEADLINE] = str(int(value) + _PATIENCE)
