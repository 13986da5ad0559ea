"""Schemathesis hooks: uploads of every kind, damaged ones and random bytes; and its timeouts."""

from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis.transport.serialization import Binary

from chestxray import related
from tests.fuzz import corpus
from tests.fuzz.worker import image_of

_WHOLE = list(corpus.make().values())
_FILES = st.one_of(
    st.sampled_from(_WHOLE), st.integers(0, 10**6).map(image_of), st.binary(min_size=1)
).filter(bool)

schemathesis.openapi.format("binary", _FILES.map(Binary))
schemathesis.openapi.media_type("application/octet-stream", _FILES)

# Schemathesis knows neither the parameters of multipart/related nor the type of its parts.
_RELATED, _OBJECT, _BOUNDARY = "multipart/related", "application/dicom", "XbX"
_OBJECTS = st.lists(_FILES, min_size=1, max_size=3)
schemathesis.openapi.media_type(
    _RELATED, _OBJECTS.map(lambda files: related.body_of(files, _BOUNDARY, of_type=_OBJECT))
)

_DEADLINE = "X-Request-Timeout-Ms"
_PATIENCE = 10_000  # milliseconds: nearly all generated deadlines pass before any response


@schemathesis.hook
def before_call(context: Any, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    value = str(case.headers.get(_DEADLINE, ""))
    if value.isascii() and value.isdigit() and 0 < int(value) < _PATIENCE:
        case.headers[_DEADLINE] = str(int(value) + _PATIENCE)
    if case.media_type == _RELATED and "Content-Type" not in case.headers:
        case.headers["Content-Type"] = f'{_RELATED}; type="{_OBJECT}"; boundary={_BOUNDARY}'
