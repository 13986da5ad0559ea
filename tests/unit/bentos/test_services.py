"""How the services are declared: each line here answers a trap of BentoML."""

import pytest
from _bentoml_impl.client.proxy2 import RemoteProxy
from _bentoml_impl.server.allocator import NVIDIA_GPU, ResourceAllocator

from bentos.covid_classifier.service import CovidClassifier
from bentos.gateway.service import Gateway
from bentos.settings import Settings
from bentos.xray_filter.service import XRayFilter

MODELS = {
    "judge": XRayFilter,
    "classify": CovidClassifier,
    "classify_beside": CovidClassifier,
}


@pytest.mark.parametrize("service", [XRayFilter, CovidClassifier], ids=lambda s: s.name)
def test_session_to_a_runner_is_never_refreshed(service: object) -> None:
    """Trap 1: every 100 requests BentoML closes the session under the others that use it."""
    Gateway.inject_config()
    proxy = RemoteProxy("tcp://127.0.0.1:1", service=service)
    proxy.to_async._temp_dir.cleanup()
    manager = proxy.to_async._session_manager
    manager._created_at = 0.0

    manager._request_count = 10**8

    assert not manager._should_refresh()


@pytest.mark.parametrize("method", MODELS)
def test_batches_are_adaptive_and_shed_nothing_of_their_own(method: str) -> None:
    """Trap 4: max_latency_ms sheds; it must lie above every wait that the gateway allows."""
    api = MODELS[method].apis[method]

    assert api.batchable
    assert api.max_batch_size == Settings().max_model_batch > 1
    assert api.max_latency_ms > 1000 * Settings().request_timeout_seconds


def test_a_batch_may_begin_beside_another() -> None:
    """BentoML runs one batch of each method, and as many methods as the service has threads."""
    assert CovidClassifier.config["threads"] == len(CovidClassifier.apis) == 2


@pytest.mark.parametrize("service", [Gateway, XRayFilter, CovidClassifier], ids=lambda s: s.name)
def test_bentomls_own_timeout_lies_above_ours_and_nothing_else_limits(service: object) -> None:
    """Trap 17: what its middleware answers has neither our format nor Retry-After."""
    traffic = service.config["traffic"]  # type: ignore[attr-defined]

    assert traffic["timeout"] > Settings().request_timeout_seconds
    assert "max_concurrency" not in traffic


@pytest.mark.parametrize("service", [Gateway, XRayFilter, CovidClassifier], ids=lambda s: s.name)
def test_no_service_is_given_a_gpu_by_bentoml(
    service: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap 21: of two services with a GPU each, the second finds none where there is one."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("BENTOML_DISABLE_GPU_ALLOCATION", raising=False)
    allocator = ResourceAllocator()
    allocator.system_resources[NVIDIA_GPU] = [0.0]
    allocator.remaining_gpus = 1
    services = {service.name: service.config}  # type: ignore[attr-defined]

    workers, environment = allocator.get_worker_env(service, services=services)  # type: ignore[arg-type]

    assert workers == 1
    assert environment == {}


def test_gateway_has_no_route_of_bentomls_kind() -> None:
    """Traps 13 and 23: bentoml.api fetches URLs, and its errors are lists."""
    assert not Gateway.apis
