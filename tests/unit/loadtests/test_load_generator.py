"""Results of load runs are fitted, compared and rendered."""

import base64
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from loadtests import benchmark, capacity, endurance
from loadtests import measured_capacity as shipped
from loadtests.endurance import Stretch
from loadtests.images import archive_pool
from loadtests.load_generator import LoadResult, RequestsFailed
from loadtests.measured_capacity import Capacity
from loadtests.rounds import CLIENTS, spread
from loadtests.servers import OURS, SERVERS

MEASURED = LoadResult(
    seconds=2.0, images=50, latencies=(0.1,) * 40 + (0.3,) * 10, failures={}, cpu_seconds=3.0
)
CAPACITY = Capacity(
    machine="2 cores, x86_64",
    images_per_second=25.0,
    seconds_alone=0.06,
    knee_clients=1.5,
    cpu_seconds_per_image=0.07,
    megabytes=600.0,
    gateway_cpu_seconds_with_tier=0.04,
    tier_cpu_seconds_per_image=0.03,
)


def test_rate_and_cost_are_per_image_and_percentiles_per_request() -> None:
    assert (MEASURED.rate, MEASURED.cost) == (25.0, 0.06)
    assert (MEASURED.percentile(50), MEASURED.percentile(99)) == pytest.approx((0.1, 0.3))


@pytest.mark.parametrize(("alone", "most"), [(0.06, 25.0), (0.02, 400.0), (0.5, 4.0)])
def test_capacity_fit_recovers_slope_and_ceiling_from_noisy_rates(
    alone: float, most: float
) -> None:
    noise = np.random.default_rng(0).normal(0, 0.02, len(capacity.STEPS))
    rates = {
        n: min(n / alone, most) * float(np.exp(off))
        for n, off in zip(capacity.STEPS, noise, strict=True)
    }

    *found, _ = capacity.fit(rates)

    assert found == pytest.approx([alone, most], rel=0.06)


def test_capacity_fit_without_a_knee_uses_the_last_step() -> None:
    *found, beyond = capacity.fit({n: 10.0 * n for n in capacity.STEPS})

    assert found == pytest.approx([0.1, 320.0])
    assert beyond == [32]


def test_capacity_fit_needs_two_steps() -> None:
    with pytest.raises(ValueError, match="two steps"):
        capacity.fit({1: 10.0})


def test_cpu_cost_is_taken_from_the_busy_steps() -> None:
    calm = replace(MEASURED, images=10, cpu_seconds=5.0)
    busy = replace(MEASURED, images=50, cpu_seconds=3.0)

    found = capacity.capacity_of({1: calm, 8: busy, 16: busy}, 600.4, (0.04, 0.03))

    assert (found.seconds_alone, found.images_per_second) == (0.2, 25.0)
    assert (found.knee_clients, found.cpu_seconds_per_image) == (5.0, 0.06)


def test_capacity_is_read_as_written(tmp_path: Path) -> None:
    path = tmp_path / "capacity.toml"
    capacity.write(CAPACITY, path)

    assert shipped.read(path) == CAPACITY
    assert path.read_text().startswith(capacity.HEADER)

    path.write_text(path.read_text().replace("megabytes", "megabites"))
    with pytest.raises(TypeError, match="megabites"):
        shipped.read(path)


def test_shipped_capacity_was_measured() -> None:
    assert shipped.FILE.read_text().startswith(capacity.HEADER)


def test_capacity_of_a_failing_service_is_not_reported() -> None:
    failing = replace(MEASURED, failures={503: 1})

    with pytest.raises(RequestsFailed):
        capacity.capacity_of({1: MEASURED, 8: failing}, 600, (0.04, 0.03))


@pytest.mark.parametrize(
    ("last", "costs", "flat"),
    [
        (Stretch(24.0, 30.0, 610.0), (0.070, 0.075), True),
        (Stretch(21.0, 30.0, 610.0), (0.070, 0.075), False),
        (Stretch(21.0, 26.0, 610.0), (0.070, 0.075), True),
        (Stretch(24.0, 30.0, 700.0), (0.070, 0.075), False),
        (Stretch(24.0, 30.0, 610.0), (0.070, 0.078), False),
    ],
)
def test_endurance_report_detects_changes_over_time(
    last: Stretch, costs: tuple[float, float], flat: bool
) -> None:
    by_way = dict(zip(("alone", "four"), costs, strict=True))

    text, found = endurance.render([Stretch(25.0, 30.0, 600.0), last], by_way)

    assert found is flat
    assert f"{last.megabytes:.0f}" in text


def round_result(rate: float) -> dict[str, Any]:
    figures = {"rate": rate, "cpu_seconds": 2 / rate, "p50": 1 / rate, "p99": 2 / rate}
    each = figures | {"images": 100, "failures": {"503": 1}}
    return {str(n): each for n in CLIENTS} | {"start_seconds": 5.0, "megabytes": 600.0}


def test_benchmark_ratios_are_computed_within_a_round() -> None:
    """A machine that is twice as fast in the second round does not change the ratios."""
    bare = {"layout": "one loop", "batch": 1, "rate": 30.0, "cpu_seconds": 0.05}
    limit = {"start_seconds": 0.1, "p50": 0.04, "fastest": bare, "cheapest": bare}
    rounds = [
        {
            benchmark.LIMIT: limit,
            OURS: round_result(factor * 24.0),
            "other": round_result(factor * 12.0),
        }
        for factor in (1, 2)
    ]

    text = benchmark.render(
        {
            "rounds": rounds,
            "seconds": 1.0,
            "machine": {"cores": 2, "processor": "x"},
            "commit": "abc",
        }
    )

    for table in text.split("\n\n"):
        assert len({line.count("|") for line in table.splitlines()}) == 1
    row = next(line for line in text.splitlines()[::-1] if line.startswith("| other"))
    cells = [cell.strip() for cell in row.split("|")[2:6]]
    assert cells == ["2 (2-2)", "2 (2-2)", "0.5 (0.5-0.5)", "0.5 (0.5-0.5)"]


def test_spread_shows_median_minimum_and_maximum() -> None:
    assert spread([3.0, 1.0, 2.0]) == "2 (1-3)"


def test_archive_pool_has_distinct_images_of_two_megapixels() -> None:
    files = archive_pool(4)

    assert len(set(files)) == 4
    assert {Image.open(io.BytesIO(data)).size for data in files} == {(1600, 1250)}


def test_request_of_every_server_contains_the_whole_image() -> None:
    image = bytes(range(256)) * 4
    for server in SERVERS:
        body = server.request(image).body
        assert image in body or base64.b64encode(image) in body, server.name


def test_binary_tensor_length_matches_its_header() -> None:
    server = next(each for each in SERVERS if each.name == "py_triton")

    request = server.request(b"image")

    length = int(request.headers["Inference-Header-Content-Length"])
    header, raw = json.loads(request.body[:length]), request.body[length:]
    assert header["inputs"][0]["parameters"]["binary_data_size"] == len(raw)
    assert raw.endswith(b"image")
