"""Every line that a service writes, from its start to its end, is of the one schema."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bentos.metric_labels import ProcessName
from bentos.process.pids import SUPERVISOR
from tests.phantoms import encode, phantom
from tests.service.conftest import NO_SHEDDING
from tests.service.server import serve
from tests.unit.bentos.logs.records import parse
from tests.waiting import until

PATIENT = "maria-silva-1970"
FLOOD = 200
NATIVE = "a native library says this\n"
TEXT_LINE = re.compile(
    r"\d{4}-\d\d-\d\dT[\d:.]+Z (DEBUG|INFO|WARNING|ERROR|CRITICAL) "
    r"(supervisor|gateway|xray_filter|covid_classifier) [\w.]+ \S.*"
)

Lines = list[dict[str, Any]]


def use(url: str) -> None:
    """Sends a good image, a broken one, a scrape, a probe, and requests that are refused."""
    with httpx.Client(base_url=url, timeout=60) as client:
        headers = {"x-request-id": "good", "authorization": PATIENT}
        image = encode(phantom(300, 300), "PNG")
        params, files = {"q": PATIENT}, {"image": (f"{PATIENT}.png", image, "image/png")}
        assert client.post("/v1/analyses", files=files, headers=headers).status_code == 200
        broken = {"image": (f"{PATIENT}.png", image[:900] + PATIENT.encode(), "image/png")}
        headers = {"x-request-id": "broken"}
        assert client.post("/v1/analyses", files=broken, headers=headers).status_code == 422
        for path in ("/metrics", "/readyz"):
            assert client.get(path).status_code == 200
        for _ in range(FLOOD):
            assert client.get(f"/{PATIENT}", params=params).status_code == 404


@pytest.fixture(scope="module")
def lines(passing_filter: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lines]:
    """The log of a service that was used, lost a model, and was stopped."""
    environment = NO_SHEDDING | {
        "CHESTXRAY_FILTER_CHECKPOINT": str(passing_filter),
        "CHESTXRAY_LOG_FORMAT": "json",
        "CHESTXRAY_DRAIN_DELAY_SECONDS": "0",
    }
    with serve(tmp_path_factory.mktemp("logs"), **environment) as server:
        use(server.url)
        worker = server.worker("XRayFilter")
        for descriptor in (1, 2):
            Path(f"/proc/{worker.pid}/fd/{descriptor}").write_text(NATIVE)
        until(lambda: server.log.read_text().count("native") == 2)
        worker.kill()
        until(lambda: "restarting" in server.log.read_text())
        until(lambda: httpx.get(f"{server.url}/readyz").status_code == 200, seconds=120)
    yield [parse(line) for line in server.log.read_text().splitlines()]


def about(lines: Lines, request_id: str) -> dict[str, Any]:
    """The one line about a request."""
    (line,) = (line for line in lines if line.get("request_id") == request_id)
    return line


def test_every_process_writes_lines_of_the_schema(lines: Lines) -> None:
    expected = {SUPERVISOR, *ProcessName} - {ProcessName.CLASSIFIER_POD}

    assert {line["process"] for line in lines} == expected
    assert {line["level"] for line in lines} == {"INFO", "WARNING"}
    assert len({(line["process"], line["pid"]) for line in lines}) == len(expected) + 1


def test_first_and_last_line_are_the_start_and_the_stop(lines: Lines) -> None:
    assert "started as process" in lines[0]["message"]
    assert (lines[-1]["process"], lines[-1]["message"]) == ("supervisor", "stopped")


def test_good_and_broken_images_have_a_line_each(lines: Lines) -> None:
    good, broken = about(lines, "good"), about(lines, "broken")

    assert (good["method"], good["route"]) == ("POST", "/v1/analyses")
    assert (good["status"], good["outcome"]) == (200, "accepted")
    assert good["duration_ms"] > 0
    assert (broken["status"], broken["outcome"]) == (422, "client_error")


def test_what_a_process_writes_beside_its_log_is_a_line(lines: Lines) -> None:
    of_filter = {line["pid"] for line in lines if line["process"] == "xray_filter"}
    found = [line for line in lines if line["message"] == NATIVE.strip()]

    assert [(line["logger"], line["process"]) for line in found] == 2 * [
        ("bentos.output", "xray_filter")
    ]
    assert {line["pid"] for line in found} < of_filter


def test_killed_model_is_logged(lines: Lines) -> None:
    (line,) = (line for line in lines if "restarting" in line["message"])

    assert (line["level"], line["process"]) == ("WARNING", "supervisor")
    assert line["message"] == "xray_filter exited; restarting it"


def test_flood_of_refused_requests_is_sampled_and_counted(lines: Lines) -> None:
    refused = [line for line in lines if line.get("route") == "unmatched"]
    summaries = [line for line in refused if "left_out" in line]

    assert 0 < len(summaries) < len(refused) < FLOOD
    left_out = sum(line["left_out"] for line in summaries)
    assert len(refused) - len(summaries) + left_out == FLOOD


def test_probes_and_scrapes_have_no_line(lines: Lines) -> None:
    assert {line["route"] for line in lines if "route" in line} == {"/v1/analyses", "unmatched"}


def test_no_line_has_a_file_name_a_path_a_query_or_a_header(lines: Lines) -> None:
    assert PATIENT not in str(lines)


def test_no_line_has_the_address_of_a_caller(lines: Lines) -> None:
    assert "127.0.0.1" not in str(lines)


def test_text_log_has_one_format_too(tmp_path: Path) -> None:
    with serve(tmp_path, CHESTXRAY_DRAIN_DELAY_SECONDS="0") as server:
        httpx.get(f"{server.url}/v1/limits", headers={"x-request-id": "r-1"})

    lines = server.log.read_text().splitlines()
    assert [line for line in lines if not TEXT_LINE.fullmatch(line)] == []
    assert len([line for line in lines if line.endswith(" request=r-1")]) == 1
