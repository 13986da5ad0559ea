"""One trace per request, through gateway, queue and batches (OpenTelemetry, W3C Trace Context).

A batch answers many requests, so its span is no child of one of them: it begins a trace of its own
and is linked to every request that it answers (trap 20). Off unless CHESTXRAY_OTLP_ENDPOINT is set;
a `traceparent` that comes in is answered all the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Link, NoOpTracerProvider, Span, SpanContext, SpanKind, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from bentos.settings import get_settings

_NAME = "chestxray"
_PROPAGATOR = TraceContextTextMapPropagator()


@cache
def get_tracer() -> Tracer:
    """The tracer of this process; without an endpoint it keeps nothing."""
    endpoint = get_settings().otlp_endpoint
    if not endpoint:
        return NoOpTracerProvider().get_tracer(_NAME)
    # A tenth of a second of imports that most services do without.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": _NAME}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    return provider.get_tracer(_NAME)


@contextmanager
def request_span(method: str, headers: Mapping[str, str]) -> Iterator[Span]:
    """The span of a request, in its caller's trace where it names one."""
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
    """The span of one stage of one image of the current request."""
    # An image that is refused is no failure of the stage.
    with get_tracer().start_as_current_span(
        name, record_exception=False, set_status_on_exception=False
    ):
        yield


@contextmanager
def batch_span(model: str, requests: Sequence[SpanContext], images: int) -> Iterator[None]:
    """The span of one batch, linked to the requests that it answers."""
    distinct = {(each.trace_id, each.span_id): each for each in requests if each.is_valid}
    links = [Link(each) for each in distinct.values()]
    attributes: dict[str, str | int] = {"chestxray.model": model, "chestxray.images": images}
    with get_tracer().start_as_current_span(
        "batch", context=Context(), links=links, attributes=attributes
    ):
        yield


def current() -> SpanContext:
    """The place in the trace where the caller is; invalid outside of any."""
    return trace.get_current_span().get_span_context()


def current_headers() -> dict[str, str]:
    """The headers that make a request part of the current trace."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier


def traceparent(span: Span) -> str:
    """The header that names a span, or nothing outside of any trace."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, context=trace.set_span_in_context(span, Context()))
    return carrier.get("traceparent", "")
