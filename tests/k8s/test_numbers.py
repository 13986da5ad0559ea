"""Numbers in manifests agree with the code, measurements and objectives."""

import re
from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from bentos.callers.quotas import Quotas
from bentos.gateway.app import create_app
from bentos.gateway.keeping import Keeping
from bentos.settings import LONGEST_REQUEST_SECONDS, Settings
from loadtests import measured_capacity as capacity
from loadtests import objectives
from tests.k8s.rendering import Manifest, find
from tests.service.fakes import ready

Rendered = dict[str, list[Manifest]]
ONE_GATEWAY = capacity.read()
STORAGE = "/dicomweb/studies"
PRIVATE = {"/metrics", "/docs/oauth2-redirect", STORAGE, f"{STORAGE}/x"}
"""Routes that are not public: the operator's metrics, an unused login page, and DICOMweb, which is
for listed nodes of the same network."""


@pytest.fixture(scope="module")
def public_paths() -> set[str]:
    """A path of every public route, with a placeholder for its parameters."""
    card = SimpleNamespace(version="0")
    pipeline: Any = SimpleNamespace(covid_classifier=SimpleNamespace(card=card))
    admission: Any = SimpleNamespace()
    settings = Settings()
    keeping = Keeping(None, pipeline, settings, Quotas(settings))
    app = create_app(pipeline, admission, settings, ready, keeping, None, None)
    return {re.sub(r"\{.*?\}", "x", path) for path in paths_of(app.routes)} - PRIVATE


def paths_of(routes: Iterable[Any]) -> Iterator[str]:
    """All paths, including those of included routers, which keep their routes."""
    for route in routes:
        if router := getattr(route, "original_router", None):
            yield from paths_of(router.routes)
        else:
            yield route.path


def is_covered(path: str, kind: str, by: str) -> bool:
    exact = path == by
    return exact if kind == "Exact" else exact or path.startswith(by.rstrip("/") + "/")


def test_ingress_routes_exactly_the_public_paths(
    rendered: Rendered, public_paths: set[str]
) -> None:
    (rule,) = find(rendered["base+ingress"], "Ingress", "gateway")["spec"]["rules"]
    paths = [(path["pathType"], path["path"]) for path in rule["http"]["paths"]]

    assert {"/", "/thumbnails/x", "/v1/analyses/batch"} <= public_paths
    assert [p for p in public_paths if not any(is_covered(p, *path) for path in paths)] == []
    for private in ("/metrics", "/livez", "/readyz", STORAGE):
        assert not any(is_covered(private, *path) for path in paths)


def test_http_route_has_the_same_paths_as_the_ingress(rendered: Rendered) -> None:
    (rule,) = find(rendered["base+ingress"], "Ingress", "gateway")["spec"]["rules"]
    rules = find(rendered["base+gateway-api"], "HTTPRoute", "gateway")["spec"]["rules"]
    paths = [match["path"] for each in rules for match in each["matches"]]
    kinds = {"Exact": "Exact", "PathPrefix": "Prefix"}

    assert {(kinds[path["type"]], path["value"]) for path in paths} == {
        (path["pathType"], path["path"]) for path in rule["http"]["paths"]
    }


def test_ingress_body_size_and_timeout_match_the_settings(rendered: Rendered) -> None:
    manifests = rendered["base+ingress"]
    ingress = find(manifests, "Ingress", "gateway")["metadata"]["annotations"]
    settings = find(manifests, "ConfigMap", "settings")["data"]
    body = ingress["nginx.ingress.kubernetes.io/proxy-body-size"]
    patience = ingress["nginx.ingress.kubernetes.io/proxy-read-timeout"]

    assert int(body.removesuffix("m")) * 2**20 == int(settings["CHESTXRAY_MAX_BATCH_BYTES"])
    assert int(patience) > LONGEST_REQUEST_SECONDS


def test_http_route_timeout_exceeds_the_longest_request(rendered: Rendered) -> None:
    for rule in find(rendered["base+gateway-api"], "HTTPRoute", "gateway")["spec"]["rules"]:
        assert int(rule["timeouts"]["request"].removesuffix("s")) > LONGEST_REQUEST_SECONDS


def test_gateway_memory_limit_exceeds_its_maximum_use(rendered: Rendered) -> None:
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


def test_gateways_scale_out_before_objectives_are_missed(
    rendered: Rendered,
) -> None:
    spec = find(rendered["production"], "HorizontalPodAutoscaler", "gateway")["spec"]
    by_type = {each["type"]: each for each in spec["metrics"]}
    in_flight = float(by_type["Pods"]["pods"]["target"]["averageValue"])
    seconds = in_flight / ONE_GATEWAY.images_per_second
    promised = objectives.read(objectives.DEFAULT).routes["/v1/analyses"].p50_ms / 1000

    assert seconds < 0.6 * promised
    assert seconds < 0.2 * Settings().max_queue_seconds
    assert in_flight > 2 * ONE_GATEWAY.knee_clients


def test_classifier_tier_activates_and_scales_before_saturation(
    rendered: Rendered,
) -> None:
    trigger = trigger_of(rendered["base+classifier+autoscaling-keda+scale-to-zero"])
    activation, threshold = float(trigger["activationThreshold"]), float(trigger["threshold"])

    assert activation < 0.3 * ONE_GATEWAY.images_per_second
    assert activation < threshold < ONE_GATEWAY.images_per_second


def test_gpu_pods_scale_by_the_capacity_of_a_gpu(rendered: Rendered) -> None:
    """By a CPU's they would be bought for what the gateways can never send them."""
    on_cpus = float(trigger_of(rendered["base+classifier+autoscaling-keda"])["threshold"])
    for mix in ("serverless", "base+classifier+autoscaling-keda+gpu"):
        on_gpus = float(trigger_of(rendered[mix])["threshold"])
        assert on_gpus > 10 * on_cpus
    gateways = find(rendered["serverless"], "HorizontalPodAutoscaler", "gateway")["spec"]
    fed = gateways["maxReplicas"] * ONE_GATEWAY.images_per_second

    assert (
        fed
        < on_gpus
        * find(rendered["serverless"], "ScaledObject", "classifier")["spec"]["maxReplicaCount"]
    )


def trigger_of(manifests: list[Manifest]) -> dict[str, str]:
    """The metadata of the trigger that scales the classifier tier by its demand."""
    trigger, _ = find(manifests, "ScaledObject", "classifier")["spec"]["triggers"]
    return dict(trigger["metadata"])


def test_scale_to_zero_component_sets_the_minimum_replicas_to_zero(
    rendered: Rendered,
) -> None:
    least = {
        mix: find(rendered[mix], "ScaledObject", "classifier")["spec"]["minReplicaCount"]
        for mix in ("base+classifier+autoscaling-keda", "serverless")
    }

    assert list(least.values()) == [1, 0]


def test_gpu_pods_have_their_own_image_device_and_batch_size(rendered: Rendered) -> None:
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
