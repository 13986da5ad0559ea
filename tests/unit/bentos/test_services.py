"""The BentoML services are declared as BentoML's traps require."""

import pytest

from bentos.covid_classifier.service import CovidClassifier
from bentos.gateway.service import Gateway
from bentos.settings import Settings
from bentos.xray_filter.service import XRayFilter

MODELS = {"judge": XRayFilter, "classify": CovidClassifier}
SERVICES = [Gateway, XRayFilter, CovidClassifier]


@pytest.mark.parametrize("method", MODELS)
def test_batched_api_of_a_model_never_sheds_before_the_request_timeout(method: str) -> None:
    """Trap 4: max_latency_ms sheds; it must exceed every wait that the gateway allows."""
    api = MODELS[method].apis[method]

    assert api.batchable
    assert api.max_batch_size > 1
    assert api.max_latency_ms > 1000 * Settings().request_timeout_seconds


def test_gateway_depends_on_both_models() -> None:
    assert {each.on for each in Gateway.dependencies.values()} == set(MODELS.values())


@pytest.mark.parametrize("service", SERVICES, ids=lambda s: s.name)
def test_bentoml_timeout_exceeds_ours_and_concurrency_is_not_limited(service: object) -> None:
    """Trap 17: what its middleware answers has neither our format nor Retry-After."""
    traffic = service.config["traffic"]  # type: ignore[attr-defined]

    assert traffic["timeout"] > Settings().request_timeout_seconds
    assert "max_concurrency" not in traffic


@pytest.mark.parametrize("service", SERVICES, ids=lambda s: s.name)
def test_no_service_asks_bentoml_for_a_gpu(service: object) -> None:
    """Trap 21: of two services with a GPU each, the second gets none on a machine with one."""
    assert not service.config.get("resources", {})  # type: ignore[attr-defined]


def test_gateway_defines_no_bentoml_api_routes() -> None:
    """Traps 13 and 23: bentoml.api fetches URLs, and its errors are lists."""
    assert not Gateway.apis
