"""A running collector receives one trace per request, and batches linked to their requests."""

import concurrent.futures
import gzip
import http.server
import re
import secrets
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bentos.exposition import OPEN_METRICS
from tests.phantoms import encode, phantom
from tests.service.server import Server, serve
from tests.waiting import until

FILES = {"image": ("chest.png", encode(phantom(300, 300), "PNG"), "image/png")}
COUNT = 8


@pytest.fixture(scope="module")
def collector() -> Iterator[tuple[str, list[Span]]]:
    """An OTLP endpoint that keeps every span it is sent."""
    spans: list[Span] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    spans.extend(scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}/v1/traces", spans
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def post(server: Server, trace: str) -> httpx.Response:
    headers = {"traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}
    return httpx.post(f"{server.url}/v1/analyses", files=FILES, headers=headers, timeout=60)


def test_each_request_has_one_trace_and_batches_link_to_all_of_theirs(
    collector: tuple[str, list[Span]], tmp_path: Path
) -> None:
    """Trap 20: BentoML gives a whole batch the trace of its first request."""
    url, spans = collector
    traces = [secrets.token_hex(16) for _ in range(COUNT)]
    with serve(tmp_path, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=url) as server:
        with concurrent.futures.ThreadPoolExecutor(COUNT) as pool:
            answers = list(pool.map(lambda trace: post(server, trace), traces))
        own = httpx.post(f"{server.url}/v1/analyses", files=FILES, timeout=60)
        log = server.log.read_text()
        scraped = httpx.get(f"{server.url}/metrics", headers={"accept": OPEN_METRICS}).text
        server.process.send_signal(signal.SIGINT)
        server.process.wait(60)  # what was not sent yet is sent at the end

    assert [answer.headers["traceparent"].split("-")[1] for answer in answers] == traces
    assert own.headers["traceparent"].split("-")[1] not in traces
    for trace in traces:
        assert f"trace={trace}" in log
        names = [span.name for span in spans if span.trace_id.hex() == trace]
        assert names.count("POST /v1/analyses") == 1
        assert {"decode", "filter"} <= set(names)
    exemplars = re.findall(r'_bucket{.*le="([^"]+)".*} .* # {trace_id="(\w+)"}', scraped)
    assert exemplars
    assert {trace for _, trace in exemplars} <= {*traces, own.headers["traceparent"].split("-")[1]}
    batches = [span for span in spans if span.name == "batch"]
    linked = {link.trace_id.hex() for span in batches for link in span.links}
    assert set(traces) <= linked
    assert not {span.trace_id.hex() for span in batches} & set(traces)


def test_client_trace_id_is_returned_and_logged_without_a_collector(server: Server) -> None:
    trace = secrets.token_hex(16)

    assert post(server, trace).headers["traceparent"].split("-")[1] == trace
    until(lambda: f"trace={trace}" in server.log.read_text())  # written when the answer is sent
