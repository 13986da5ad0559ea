"""Example responses for the OpenAPI document; a test validates them against the models."""

from typing import Any

from bentos.http.codes import CODES, PAGE
from chestxray.errors import NotAnXRay
from chestxray.labels import Verdict
from chestxray.results import DISCLAIMER, SOFTWARE, FilterResult

ID = "0f9d1c3a5b7e4d6f8a2b4c6d8e0f1a2b"
WEBHOOK_URL = "https://hospital.example/chestxray"
_DIGEST = "sha256:" + 32 * "5e"


def _filter(verdict: Verdict, score: float) -> dict[str, Any]:
    others = [each for each in Verdict if each is not verdict]
    left = round((1 - score) / len(others), 4)
    scores = {each.value: score if each is verdict else left for each in Verdict}
    frontal = scores[Verdict.FRONTAL_CHEST]
    return {
        "verdict": verdict.value,
        "valid": frontal >= 0.95,
        "score": frontal,
        "threshold": 0.95,
        "scores": scores,
    }


_ANALYSIS: dict[str, Any] = {
    "id": ID,
    "created_at": "2026-01-31T12:00:00Z",
    "input": {
        "format": "PNG",
        "media_type": "image/png",
        "width": 2048,
        "height": 2500,
        "bits": 16,
        "colour": False,
        "mislabelled": False,
        "film": [0.05, 0.04, 0.95, 0.96],
    },
    "filter": _filter(Verdict.FRONTAL_CHEST, 0.9994),
    "prediction": {
        "label": "no_finding",
        "probabilities": {"no_finding": 0.9012, "lung_opacity": 0.0643, "covid19": 0.0345},
        "abnormal": 0.0988,
    },
    "heatmap": None,
    "heatmaps": None,
    "projection": [0.4711, -1.2502, 0.0312],
    "models": {"xray_filter": _DIGEST, "covid_classifier": _DIGEST},
    "software": SOFTWARE,
    "timing_ms": {"decode": 11.2, "filter": 9.8, "classify": 48.3, "total": 70.4},
    "kept": False,
    "expires_at": None,
    "disclaimer": DISCLAIMER,
}


_TURNED = _filter(Verdict.ROTATED_90, 0.9958)
_DETAILS = {NotAnXRay.code: str(NotAnXRay(FilterResult.model_validate(_TURNED)))}
_MORE: dict[str, dict[str, Any]] = {NotAnXRay.code: {"filter": _TURNED}}


def problem(code: str) -> dict[str, Any]:
    """Returns an example problem with this code."""
    return {
        "type": f"{PAGE}#{code}",
        "title": code.replace("-", " ").capitalize(),
        "status": CODES[code].status.value,
        "detail": _DETAILS.get(code, CODES[code].meaning),
        "code": code,
        "request_id": ID,
        "disclaimer": DISCLAIMER,
    } | _MORE.get(code, {})


_LIMITS: dict[str, Any] = {
    "max_image_bytes": 33_554_432,
    "max_image_pixels": 26_214_400,
    "max_webp_pixels": 6_553_600,
    "max_images_per_batch": 16,
    "media_types": ["image/jpeg", "image/png", "image/tiff", "image/webp", "image/bmp"],
    "keeps": True,
    "retention_hours": 24,
    "max_job_images": 10_000,
    "max_job_bytes": 4_294_967_296,
    "disclaimer": DISCLAIMER,
}
_KEPT = _ANALYSIS | {"kept": True, "expires_at": "2026-02-01T12:00:00Z"}
_SUMMARY = {
    name: _KEPT[name]
    for name in ("id", "created_at", "expires_at", "prediction", "models", "software")
}
_JOB = {
    "id": "night-of-2026-01-31",
    "state": "queued",
    "created_at": "2026-01-31T12:00:00Z",
    "expires_at": "2026-02-01T12:00:00Z",
    "total": 2,
    "done": 1,
    "disclaimer": DISCLAIMER,
}
_ITEMS = [
    {"position": 0, "state": "done", "digest": 32 * "5e", "result": problem(NotAnXRay.code)},
    {"position": 1, "state": "queued", "digest": 32 * "6f", "result": None},
]
_WEBHOOK = {
    "id": ID,
    "url": WEBHOOK_URL,
    "events": ["job.finished"],
    "created_at": "2026-01-31T12:00:00Z",
    "failing_since": None,
    "disabled": None,
    "previous_secret_until": None,
}
_ISSUED_WEBHOOK = _WEBHOOK | {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="}
_DELIVERY = {
    "id": "5b7e4d6f8a2b4c6d8e0f1a2b0f9d1c3a",
    "state": "delivered",
    "created_at": "2026-01-31T13:00:00Z",
    "attempts": 1,
    "attempted_at": "2026-01-31T13:00:01Z",
    "last_status": 204,
    "last_error": None,
}
KEY_ID = "0123456789abcdef"
NEW_KEY: dict[str, Any] = {
    "name": "Hospital of the north",
    "scopes": ["analyse", "history"],
    "expires_days": 365,
}
_KEY: dict[str, Any] = {
    "id": KEY_ID,
    "name": "Hospital of the north",
    "scopes": ["analyse", "history"],
    "state": "valid",
    "requests_per_minute": None,
    "retention_hours": None,
    "created_at": "2026-01-31T12:00:00Z",
    "expires_at": "2027-01-31T12:00:00Z",
    "revoked_at": None,
    "previous_secret_until": None,
}
_ISSUED_KEY = _KEY | {"key": f"cxr_{KEY_ID}_{43 * 'x'}"}
_EXAMPLES: dict[str, Any] = {
    "examples": [
        {
            "name": "clear",
            "url": "examples/clear.jpg",
            "thumbnail": "thumbnails/clear.jpg",
            "synthetic": True,
        }
    ],
    "disclaimer": DISCLAIMER,
}
ANSWERS: dict[str, dict[str, Any]] = {
    "analyse_image": _ANALYSIS,
    "analyse_batch": {"results": [_ANALYSIS, problem(NotAnXRay.code)], "disclaimer": DISCLAIMER},
    "list_analyses": {"analyses": [_SUMMARY], "next": None, "disclaimer": DISCLAIMER},
    "get_analysis": _KEPT,
    "list_jobs": {"jobs": [_JOB], "disclaimer": DISCLAIMER},
    "get_job": _JOB,
    "get_job_results": {"items": _ITEMS, "next": None, "disclaimer": DISCLAIMER},
    "cancel_job": _JOB | {"state": "cancelled"},
    "create_webhook": _ISSUED_WEBHOOK,
    "list_webhooks": {"webhooks": [_WEBHOOK]},
    "get_webhook": _WEBHOOK,
    "list_webhook_deliveries": {"deliveries": [_DELIVERY]},
    "rotate_webhook_secret": _ISSUED_WEBHOOK,
    "delete_analyses": {"deleted": 3},
    "create_key": _ISSUED_KEY,
    "list_keys": {"keys": [_KEY], "next": None},
    "get_key": _KEY,
    "rotate_key": _ISSUED_KEY | {"previous_secret_until": "2026-02-01T12:00:00Z"},
    "list_examples": _EXAMPLES,
    "get_limits": _LIMITS,
}
"""Examples by operation, with `heatmap=none`."""
