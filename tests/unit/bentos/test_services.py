"""How the services are declared: BentoML services, with what its traps ask for."""

import pytest

from bentos.covid_classifier.service import CovidClassifier
from bentos.gateway.service import Gateway
from bentos.settings import Settings
from bentos.xray_filter.service import XRayFilter

MODELS = {"judge": XRayFilter, "classify": CovidClassifier}
SERVICES = [Gateway, XRayFilter, CovidClassifier]


@pytest.mark.parametrize("method", MODELS)
def test_models_have_a_batched_api_that_sheds_nothing_of_its_own(method: str) -> None:
    """Trap 4: max_latency_ms sheds; it must lie above every wait that the gateway allows."""
    api = MODELS[method].apis[method]

    assert api.batchable
    assert api.max_batch_size > 1
    assert api.max_latency_ms > 1000 * Settings().request_timeout_seconds


def test_gateway_depends_on_both_models() -> None:
    assert {each.on for each in Gateway.dependencies.values()} == set(MODELS.values())


@pytest.mark.parametrize("service", SERVICES, ids=lambda s: s.name)
def test_bentomls_own_timeout_lies_above_ours_and_nothing_else_limits(service: object) -> None:
    """Trap 17: what its middleware answers has neither our format nor Retry-After."""
    traffic = service.config["traffic"]  # type: ignore[attr-defined]

    assert traffic["timeout"] > Settings().request_timeout_seconds
    assert "max_concurrency" not in traffic


@pytest.mark.parametrize("service", SERVICES, ids=lambda s: s.name)
def test_no_service_asks_bentoml_for_a_gpu(service: object) -> None:
    """Trap 21: of two services with a GPU each, the second finds none where there is one."""
    assert not service.config.get("resources", {})  # type: ignore[attr-defined]


def test_gateway_has_no_route_of_bentomls_kind() -> None:
    """Traps 13 and 23: bentoml.api fetches URLs, and its errors are lists."""
    assert not Gateway.apis
