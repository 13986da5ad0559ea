"""Tracing of requests and batches (OpenTelemetry, W3C Trace Context).

A batch serves many requests, so its span is not a child of one of them: it starts a trace of its
own with a link to every request (trap 20). Configured by OpenTelemetry's own
variables, and disabled unless one of _ENDPOINTS is set; responses then still carry the request's
`traceparent`.

OpenTelemetry's ASGI instrumentation writes the client's address, the path and the query into every
span, where a patient's name may be. So the request's span is started here, with none of them.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import (
    Link,
    NoOpTracerProvider,
    Span,
    SpanContext,
    SpanKind,
    Tracer,
    TracerProvider,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_NAME = "chestxray"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROPAGATOR = TraceContextTextMapPropagator()


@cache
def get_tracer() -> Tracer:
    """Returns the tracer of this process; without an endpoint it records nothing."""
    return _provider().get_tracer(_NAME)


def flush() -> None:
    """Sends the spans that have not been sent yet; a process that a signal ends would lose them."""
    provider = _provider()
    if not isinstance(provider, NoOpTracerProvider):
        provider.force_flush()  # type: ignore[attr-defined]


@cache
def _provider() -> TracerProvider:
    if not any(os.environ.get(name) for name in _ENDPOINTS):
        return NoOpTracerProvider()
    # These imports take 0.1 s and are rarely needed.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk import trace as sdk
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    os.environ.setdefault("OTEL_SERVICE_NAME", _NAME)
    provider = sdk.TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


@contextmanager
def request_span(method: str, headers: Mapping[str, str]) -> Iterator[Span]:
    """Starts the span of a request, in the client's trace if the headers have one."""
    parent = _PROPAGATOR.extract(headers, context=Context())
    with get_tracer().start_as_current_span(method, context=parent, kind=SpanKind.SERVER) as span:
        yield span


@contextmanager
def remote_parent(headers: Mapping[str, str]) -> Iterator[None]:
    """Makes the caller's span the current one, where the headers name it."""
    token = attach(_PROPAGATOR.extract(headers, context=Context()))
    try:
        yield
    finally:
        detach(token)


@contextmanager
def stage_span(name: str) -> Iterator[None]:
    """Starts the span of one stage for one image of the current request."""
    # A rejected image is not an error of the stage.
    with get_tracer().start_as_current_span(
        name, record_exception=False, set_status_on_exception=False
    ):
        yield


@contextmanager
def batch_span(model: str, requests: Sequence[SpanContext], images: int) -> Iterator[None]:
    """Starts the span of a batch, linked to the requests that it serves."""
    distinct = {(each.trace_id, each.span_id): each for each in requests if each.is_valid}
    links = [Link(each) for each in distinct.values()]
    attributes: dict[str, str | int] = {"chestxray.model": model, "chestxray.images": images}
    with get_tracer().start_as_current_span(
        "batch", context=Context(), links=links, attributes=attributes
    ):
        yield


def current() -> SpanContext:
    """Returns the current span's context; invalid outside of a trace."""
    return trace.get_current_span().get_span_context()


def current_headers() -> dict[str, str]:
    """Returns the headers that propagate the current trace."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier


def traceparent(span: Span) -> str:
    """Returns the `traceparent` of a span; empty outside of a trace."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, context=trace.set_span_in_context(span, Context()))
    return carrier.get("traceparent", "")
