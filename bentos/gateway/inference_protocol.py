"""The Open Inference Protocol over REST, which the clients of KServe and Triton use.

The specification is github.com/kserve/open-inference-protocol. A request is bounded like a
batch. The protocol has no errors of single images, so an image that cannot be analysed fails its
request.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fastapi import APIRouter, Request

from bentos.admission.control import Admission
from bentos.callers.caller import Scope
from bentos.gateway.analyses import Timeout
from bentos.gateway.inference_request import InferenceRequest, read
from bentos.gateway.keeping import Keeping
from bentos.gateway.pipeline import Pipeline
from bentos.http.deadline import Deadline, while_connected
from bentos.http.probes import not_ready
from bentos.http.problems import PROTOCOL
from bentos.http.request_state import state_of
from bentos.settings import Settings
from chestxray.labels import FINDINGS
from chestxray.results import DISCLAIMER, Analysis

MODEL = "chestxray"
_PATH = f"{PROTOCOL}/models/{MODEL}"
INFER = f"{_PATH}/infer"
"""The route under admission control."""

_OUTPUTS: dict[str, tuple[str, list[int]]] = {
    "probabilities": ("FP32", [len(FINDINGS)]),
    "label": ("BYTES", []),
    "verdict": ("BYTES", []),
}
"""The datatype of each output, and its shape without the number of images."""


def create_router(
    pipeline: Pipeline,
    admission: Admission,
    settings: Settings,
    is_ready: Callable[[], Awaitable[bool]],
    keeping: Keeping,
) -> APIRouter:
    """Builds the routes; they have an OpenAPI document of their own, by the specification."""
    router = APIRouter(include_in_schema=False)
    version = pipeline.covid_classifier.card.version

    @router.get(PROTOCOL)
    async def server_metadata() -> dict[str, Any]:
        return {"name": MODEL, "version": version, "extensions": []}

    @router.get(f"{PROTOCOL}/health/live")
    async def server_live() -> dict[str, bool]:
        return {"live": True}

    @router.get(f"{PROTOCOL}/health/ready")
    async def server_ready() -> dict[str, bool]:
        await _require(is_ready)
        return {"live": True, "ready": True}  # the specification names the first, KServe the second

    @router.get(_PATH)
    async def model_metadata() -> dict[str, Any]:
        return _METADATA

    @router.get(f"{_PATH}/ready")
    async def model_ready() -> dict[str, Any]:
        await _require(is_ready)
        return {"name": MODEL, "ready": True}

    @router.post(INFER)
    async def infer(request: Request, timeout_ms: Timeout = None) -> dict[str, Any]:
        caller = await keeping.caller(request, Scope.ANALYSE)
        allowance = await keeping.quotas.allowance(request, caller)
        with admission.admit(state_of(request.scope).caller) as ticket:
            async with Deadline(timeout_ms, settings):
                asked, images = await read(request, ticket, settings)
                await allowance.spend(len(images))
                async with while_connected(request):
                    tasks = await pipeline.analyse(images, heatmap="none")
        return _answer(asked, [task.result for task in tasks])

    return router


async def _require(is_ready: Callable[[], Awaitable[bool]]) -> None:
    if not await is_ready():
        raise not_ready()


def _answer(asked: InferenceRequest, analyses: Sequence[Analysis]) -> dict[str, Any]:
    values: dict[str, list[Any]] = {
        "probabilities": [p for a in analyses for p in a.prediction.probabilities.values()],
        "label": [a.prediction.label for a in analyses],
        "verdict": [a.filter.verdict for a in analyses],
    }
    names: list[str] = [output.name for output in asked.outputs] or list(_OUTPUTS)
    shown = {} if asked.id is None else {"id": asked.id}
    return shown | {
        "model_name": MODEL,
        "parameters": {
            "disclaimer": DISCLAIMER,
            "classes": ",".join(FINDINGS),
            **analyses[0].models,
        },
        "outputs": [_tensor(name, len(analyses)) | {"data": values[name]} for name in names],
    }


def _tensor(name: str, count: int) -> dict[str, Any]:
    datatype, shape = _OUTPUTS[name]
    return {"name": name, "datatype": datatype, "shape": [count, *shape]}


_METADATA = {
    "name": MODEL,
    "platform": "bentoml",
    "inputs": [{"name": "image", "datatype": "BYTES", "shape": [-1]}],
    "outputs": [_tensor(name, -1) for name in _OUTPUTS],
}
