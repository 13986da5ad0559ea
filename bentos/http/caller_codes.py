"""Problem codes of keys, sign-ins, quotas, kept analyses, jobs and webhooks."""

from http import HTTPStatus

from bentos.http.code import RETRY, Code

CALLER_CODES = {
    "key-required": Code(
        HTTPStatus.UNAUTHORIZED,
        "This service analyses images only for holders of an API key or people who signed in.",
        "Ask the operator for a key, and send it as Authorization: Bearer; or sign in on the page.",
    ),
    "invalid-key": Code(
        HTTPStatus.UNAUTHORIZED,
        "The API key is unknown, revoked or expired.",
        "Check that it was copied as a whole, or ask the operator for a new one.",
    ),
    "scope-missing": Code(
        HTTPStatus.FORBIDDEN,
        "The API key or a person's roles do not allow this; detail names the missing scope.",
        "Ask the operator for a key or a role with that scope.",
    ),
    "cross-site-request": Code(
        HTTPStatus.FORBIDDEN,
        "A page of another site sent this with the session of a person who has signed in here.",
        "Do it on the service's own page; programs use an API key.",
    ),
    "sign-in-unavailable": Code(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The place where people sign in does not answer. Who has signed in stays so.",
        RETRY,
    ),
    "sign-in-failed": Code(
        HTTPStatus.BAD_REQUEST,
        "What came back from the sign-in is not the answer to what was asked: it is too late, was "
        "used before, or is of another browser.",
        "Sign in again.",
    ),
    "sign-in-refused": Code(
        HTTPStatus.FORBIDDEN,
        "The person did not agree to the sign-in, or has no role that allows anything here.",
        "Ask the operator for a role, or use the service without a sign-in where that is possible.",
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
