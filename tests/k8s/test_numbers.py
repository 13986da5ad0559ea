"""Numbers in manifests that follow from the code, a measurement or an objective."""

import re
from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from bentos.gateway.app import create_app
from bentos.settings import LONGEST_REQUEST_SECONDS, Settings
from loadtests import measured_capacity as capacity
from loadtests import objectives
from tests.k8s.rendering import Manifest, find

Rendered = dict[str, list[Manifest]]
ONE_GATEWAY = capacity.read()
PRIVATE = {"/metrics", "/docs/oauth2-redirect"}
"""Not for the public: figures of the operator's, and a page for logins, of which there are none."""


@pytest.fixture(scope="module")
def public() -> set[str]:
    """A path of every public route, with a placeholder for its parameters."""
    card = SimpleNamespace(version="0")
    pipeline: Any = SimpleNamespace(covid_classifier=SimpleNamespace(card=card))
    admission: Any = SimpleNamespace()
    app = create_app(pipeline, admission, Settings())
    return {re.sub(r"\{.*?\}", "x", path) for path in paths_of(app.routes)} - PRIVATE


def paths_of(routes: Iterable[Any]) -> Iterator[str]:
    """FastAPI keeps the routes of a router that is included in that router."""
    for route in routes:
        if router := getattr(route, "original_router", None):
            yield from paths_of(router.routes)
        else:
            yield route.path


def covered(path: str, kind: str, by: str) -> bool:
    exact = path == by
    return exact if kind == "Exact" else exact or path.startswith(by.rstrip("/") + "/")


def test_the_ingress_lets_in_what_is_public_and_no_more(
    rendered: Rendered, public: set[str]
) -> None:
    (rule,) = find(rendered["production"], "Ingress", "gateway")["spec"]["rules"]
    paths = [(path["pathType"], path["path"]) for path in rule["http"]["paths"]]

    assert {"/", "/thumbnails/x", "/v1/analyses/batch"} <= public
    assert [p for p in public if not any(covered(p, *path) for path in paths)] == []
    for probe in ("/metrics", "/livez", "/readyz"):
        assert not any(covered(probe, *path) for path in paths)


def test_the_route_lets_in_what_the_ingress_does(rendered: Rendered) -> None:
    (rule,) = find(rendered["production"], "Ingress", "gateway")["spec"]["rules"]
    rules = find(rendered["base+gateway-api"], "HTTPRoute", "gateway")["spec"]["rules"]
    paths = [match["path"] for each in rules for match in each["matches"]]
    kinds = {"Exact": "Exact", "PathPrefix": "Prefix"}

    assert {(kinds[path["type"]], path["value"]) for path in paths} == {
        (path["pathType"], path["path"]) for path in rule["http"]["paths"]
    }


def test_the_ingress_has_the_limits_of_the_app(rendered: Rendered) -> None:
    manifests = rendered["production"]
    ingress = find(manifests, "Ingress", "gateway")["metadata"]["annotations"]
    settings = find(manifests, "ConfigMap", "settings")["data"]
    body = ingress["nginx.ingress.kubernetes.io/proxy-body-size"]
    patience = ingress["nginx.ingress.kubernetes.io/proxy-read-timeout"]

    assert int(body.removesuffix("m")) * 2**20 == int(settings["CHESTXRAY_MAX_BATCH_BYTES"])
    assert int(patience) > LONGEST_REQUEST_SECONDS


def test_the_route_waits_longer_than_the_longest_request(rendered: Rendered) -> None:
    for rule in find(rendered["base+gateway-api"], "HTTPRoute", "gateway")["spec"]["rules"]:
        assert int(rule["timeouts"]["request"].removesuffix("s")) > LONGEST_REQUEST_SECONDS


def test_a_gateway_has_the_memory_that_it_may_need(rendered: Rendered) -> None:
    (container,) = find(rendered["base"], "Deployment", "gateway")["spec"]["template"]["spec"][
        "containers"
    ]
    settings = Settings()
    bodies = settings.max_bytes_in_flight
    decoders = settings.decode_processes * settings.decode_memory_bytes
    measured = ONE_GATEWAY.megabytes * 10**6

    assert container["resources"]["requests"]["memory"] == "1Gi"
    assert measured < 2**30
    limit = int(container["resources"]["limits"]["memory"].removesuffix("Mi")) * 2**20
    assert measured + bodies + decoders < 3 / 4 * limit


def test_gateways_are_added_while_the_objectives_are_met_and_nothing_is_refused(
    rendered: Rendered,
) -> None:
    spec = find(rendered["production"], "HorizontalPodAutoscaler", "gateway")["spec"]
    in_flight = float(spec["metrics"][0]["pods"]["target"]["averageValue"])
    seconds = in_flight / ONE_GATEWAY.images_per_second
    promised = objectives.read(objectives.DEFAULT).routes["/v1/analyses"].p50_ms / 1000

    assert seconds < 0.6 * promised
    assert seconds < 0.2 * Settings().max_queue_seconds
    assert in_flight > 2 * ONE_GATEWAY.knee_clients


def test_the_tier_wakes_before_a_gateway_is_busy_and_grows_before_a_pod_is(
    rendered: Rendered,
) -> None:
    spec = find(rendered["serverless"], "ScaledObject", "classifier")["spec"]
    (trigger,) = spec["triggers"]
    activation = float(trigger["metadata"]["activationThreshold"])
    threshold = float(trigger["metadata"]["threshold"])

    assert activation < 0.3 * ONE_GATEWAY.images_per_second
    assert activation < threshold < ONE_GATEWAY.images_per_second


def test_the_tier_goes_down_to_one_without_scale_to_zero_and_to_none_with_it(
    rendered: Rendered,
) -> None:
    least = {
        mix: find(rendered[mix], "ScaledObject", "classifier")["spec"]["minReplicaCount"]
        for mix in ("base+classifier+autoscaling-keda", "serverless")
    }

    assert list(least.values()) == [1, 0]


def test_gpu_pods_differ_from_gateways_in_image_device_and_batch(rendered: Rendered) -> None:
    manifests = rendered["production"]
    gateway, classifier = (
        find(manifests, "Deployment", name)["spec"]["template"]["spec"]
        for name in ("gateway", "classifier")
    )
    (container,) = classifier["containers"]
    environment = {each["name"]: each.get("value") for each in container["env"]}

    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert container["image"].startswith("chestxray-cuda:")
    assert environment["CHESTXRAY_DEVICE"] == "cuda"
    assert int(environment["CHESTXRAY_MAX_MODEL_BATCH"]) > Settings().max_model_batch
    assert {each["key"] for each in classifier["tolerations"]} == {"nvidia.com/gpu"}
    assert gateway["containers"][0]["image"].startswith("chestxray:")
    assert "nvidia.com/gpu" not in gateway["containers"][0]["resources"]["limits"]
