"""Problem codes of keys, quotas, kept analyses, jobs and webhooks."""

from http import HTTPStatus

from bentos.http.code import RETRY, Code

CALLER_CODES = {
    "key-required": Code(
        HTTPStatus.UNAUTHORIZED,
        "This service analyses images only for holders of an API key.",
        "Ask the operator for a key, and send it as Authorization: Bearer.",
    ),
    "invalid-key": Code(
        HTTPStatus.UNAUTHORIZED,
        "The API key is unknown, revoked or expired.",
        "Check that it was copied as a whole, or ask the operator for a new one.",
    ),
    "scope-missing": Code(
        HTTPStatus.FORBIDDEN,
        "The API key may not do this; detail names the scope that it lacks.",
        "Ask the operator for a key with that scope.",
    ),
    "history-disabled": Code(
        HTTPStatus.FORBIDDEN,
        "This service keeps no analyses.",
        "Send the image without keep. The operator can set a place for kept analyses.",
    ),
    "too-many-kept": Code(
        HTTPStatus.FORBIDDEN,
        "As many analyses are kept for the caller as may be.",
        "Delete some, or wait until they expire.",
    ),
    "no-such-analysis": Code(
        HTTPStatus.NOT_FOUND,
        "No such analysis is kept for the caller: it never was, was deleted, or has expired.",
        "List the kept analyses, with the key or cookie that they were kept with.",
    ),
    "no-such-job": Code(
        HTTPStatus.NOT_FOUND,
        "The caller has no such job: it never had, deleted it, or it has expired.",
        "List the jobs, with the key or cookie that they were sent with.",
    ),
    "no-such-webhook": Code(
        HTTPStatus.NOT_FOUND,
        "The caller has no such webhook: it never had, or deleted it.",
        "List the webhooks, with the key that they were made with.",
    ),
    "not-for-visitors": Code(
        HTTPStatus.FORBIDDEN,
        "Visitors have no webhooks.",
        "Ask the operator for a key, and send it as Authorization: Bearer.",
    ),
    "webhooks-disabled": Code(
        HTTPStatus.FORBIDDEN,
        "This service sends no webhooks.",
        "Ask for the state of the job instead. The operator can turn CHESTXRAY_WEBHOOKS on.",
    ),
    "webhook-url-refused": Code(
        HTTPStatus.BAD_REQUEST,
        "Nothing is sent to this URL; detail says why.",
        "Send an https URL on port 443 or 8443 whose host has a public address.",
    ),
    "too-many-webhooks": Code(
        HTTPStatus.FORBIDDEN,
        "The caller has as many webhooks as it may.",
        "Delete one first.",
    ),
    "no-such-key": Code(
        HTTPStatus.NOT_FOUND,
        "There is no API key with this id.",
        "List the keys; the id is the part of a key between the first two underscores.",
    ),
    "key-ended": Code(
        HTTPStatus.CONFLICT,
        "The API key is revoked or expired, or was rotated by another request just now.",
        "Make a new key, or list the keys again.",
    ),
    "last-admin-key": Code(
        HTTPStatus.CONFLICT,
        "Without this API key none with the scope admin would be valid.",
        "Make another such key first, or send last=true.",
    ),
    "malformed-zip": Code(
        HTTPStatus.BAD_REQUEST,
        "The body is no zip file that can be read.",
        "Make it again, without encryption, of less than 4 GB.",
    ),
    "request-in-progress": Code(
        HTTPStatus.CONFLICT,
        "The first request with this Idempotency-Key, or this id of a job, has not ended.",
        RETRY,
    ),
    "idempotency-conflict": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The Idempotency-Key was used for another image or other parameters.",
        "Use a new key for each request, and the same one only to repeat it.",
    ),
    "quota-exceeded": Code(
        HTTPStatus.TOO_MANY_REQUESTS,
        "The caller has sent as many images in a minute, or in jobs in a day, as its quota allows.",
        "Try again after the number of seconds in Retry-After; RateLimit says what is left.",
    ),
}
