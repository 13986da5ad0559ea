"""Every `code` that a problem can have, in one table: its status, its meaning, and what to do."""

from dataclasses import dataclass
from http import HTTPStatus

from chestxray.images import LEAST_FILM_SIDE

PAGE = "/docs/problems"
"""Path of the page that explains every code; each has an anchor there, which a problem's `type`
names."""


@dataclass(frozen=True)
class Code:
    """What a code says of a request."""

    status: HTTPStatus
    meaning: str
    advice: str
    public: bool = True
    """Answered to callers of the API; the others only pass between a gateway and its pods."""


_RETRY = "Try again after the seconds that Retry-After names."
_SAVE_AGAIN = "Open the file in a viewer and save it again, or export it anew."

CODES = {
    "empty-image": Code(
        HTTPStatus.BAD_REQUEST,
        "There are no bytes where the image should be.",
        "Send the bytes of the image; check that the file was opened and is not empty.",
    ),
    "missing-image": Code(
        HTTPStatus.BAD_REQUEST,
        "The form has no part.",
        "Send the file in the field named image.",
    ),
    "not-a-file": Code(
        HTTPStatus.BAD_REQUEST,
        "The image is an address, a data: URL, base64 or another text.",
        "Send the bytes of the file; URLs are not fetched and base64 is not decoded.",
    ),
    "unexpected-field": Code(
        HTTPStatus.BAD_REQUEST,
        "The form has a field with another name than image.",
        "Name the field of the file image, exactly so, and send no other field.",
    ),
    "too-many-images": Code(
        HTTPStatus.BAD_REQUEST,
        "The request has more images than its route takes; limit is how many that is.",
        "Send one image to /v1/analyses, and several to /v1/analyses/batch.",
    ),
    "malformed-form": Code(
        HTTPStatus.BAD_REQUEST,
        "The body is not the multipart/form-data that its Content-Type names.",
        "Let the HTTP library write the body and its Content-Type; do not set the header by hand.",
    ),
    "malformed-request": Code(
        HTTPStatus.BAD_REQUEST,
        "The request is not HTTP, or can be read in more than one way.",
        "Correct the request, or use another HTTP client.",
    ),
    "invalid-parameter": Code(
        HTTPStatus.BAD_REQUEST,
        "A parameter or a header has a value that is not allowed, or is not known.",
        "Send one of the values that /openapi.json lists.",
    ),
    "cors-not-allowed": Code(
        HTTPStatus.FORBIDDEN,
        "A page of another site may not send this request.",
        "Ask the operator to add the site to CHESTXRAY_CORS_ORIGINS.",
    ),
    "not-found": Code(
        HTTPStatus.NOT_FOUND,
        "There is nothing at this path.",
        "Compare the path with /docs.",
    ),
    "method-not-allowed": Code(
        HTTPStatus.METHOD_NOT_ALLOWED,
        "The path does not take this method.",
        "Use one of the methods in the header Allow.",
    ),
    "not-acceptable": Code(
        HTTPStatus.NOT_ACCEPTABLE,
        "The header Accept allows none of the media types that the route answers with.",
        "Accept application/json; /v1/analyses also answers with image/png.",
    ),
    "body-timeout": Code(
        HTTPStatus.REQUEST_TIMEOUT,
        "Nothing more of the body came for a while.",
        "Send the request again; on a slow connection send a smaller image.",
    ),
    "body-too-large": Code(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "The body has more bytes than its route takes; limit is how many that is.",
        "Compress the image, or send fewer of them; /v1/limits has the limits.",
    ),
    "image-too-small": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The film has so few pixels that the models would answer by chance.",
        "Send the film as it was exported, not a thumbnail; its shorter side needs "
        f"{LEAST_FILM_SIDE} pixels.",
    ),
    "not-one-film": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The picture is wider or higher than a single film of a chest.",
        "Send each film by itself.",
    ),
    "image-too-costly": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "Decoding the image would take, or took, more time or memory than any film does.",
        _SAVE_AGAIN,
    ),
    "blank-image": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "Every pixel has the same value, or none has one.",
        "Check the export, and send the picture itself.",
    ),
    "image-too-large": Code(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "The image has more bytes or pixels than are read; limit is how many that is.",
        "Scale the image down, or save it as JPEG; /v1/limits has the limits.",
    ),
    "unsupported-media-type": Code(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "The Content-Type is none that an image comes in.",
        "Send a form with the file in the field image, or the bytes of the image as image/* or "
        "application/octet-stream.",
    ),
    "unsupported-content-encoding": Code(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "The body, or a part of the form, is encoded as a whole: gzip or base64, for example.",
        "Send the bytes as they are; images are compressed already.",
    ),
    "unsupported-format": Code(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "The bytes are in no format that is read here.",
        "Send one of the formats that /v1/limits lists.",
    ),
    "unsupported-variant": Code(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "The format is read, but not this kind of it; found names it. Nothing is damaged.",
        "Save the image as PNG, or as TIFF of 8 or 16 bits, or as JPEG.",
    ),
    "polyglot-file": Code(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "The image is at the same time a file of another kind.",
        _SAVE_AGAIN,
    ),
    "rejected-image": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The image cannot be analysed.",
        "Send another image.",
    ),
    "unreadable-image": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The format is known, but the image in it cannot be decoded.",
        _SAVE_AGAIN,
    ),
    "truncated-image": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The image ends before its format says that it does.",
        "Send the whole file.",
    ),
    "multi-frame-image": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The file has several frames or pages.",
        "Send the one picture that is meant.",
    ),
    "not-a-frontal-chest-xray": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The filter does not take the image for an upright frontal chest X-ray.",
        "detail says what to do, filter has the verdict and all scores: turn the image, send the "
        "frontal film, or crop the image to the film.",
    ),
    "analysis-failed": Code(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "The analysis ended without an answer.",
        "Report the request_id to the operator.",
    ),
    "checkpoint-unusable": Code(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "A model's file is missing, corrupt, or not the one that is needed.",
        "Report the request_id to the operator.",
    ),
    "internal-error": Code(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "The service failed.",
        "Report the request_id to the operator.",
    ),
    "overloaded": Code(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The service has as many requests as it can take, in all or from one address.",
        _RETRY,
    ),
    "draining": Code(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The service is about to stop; another one takes over.",
        _RETRY,
    ),
    "model-unavailable": Code(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "A model gave no answer.",
        _RETRY,
    ),
    "deadline-exceeded": Code(
        HTTPStatus.GATEWAY_TIMEOUT,
        "The time of the request was over before there was an answer.",
        "Try again, or allow more time in X-Request-Timeout-Ms.",
    ),
    "method-not-implemented": Code(
        HTTPStatus.NOT_IMPLEMENTED,
        "The method is none that any path has.",
        "Use GET, HEAD, POST or OPTIONS.",
    ),
    "unsupported-http-version": Code(
        HTTPStatus.HTTP_VERSION_NOT_SUPPORTED,
        "The request is in a version of HTTP other than 1.0 and 1.1.",
        "Send HTTP/1.1.",
    ),
    "expectation-failed": Code(
        HTTPStatus.EXPECTATION_FAILED,
        "The Expect header asks for something other than 100-continue.",
        "Leave the header out.",
    ),
    "unsupported-transfer-coding": Code(
        HTTPStatus.NOT_IMPLEMENTED,
        "The Transfer-Encoding is not exactly chunked.",
        "Send the body with a Content-Length, or chunked.",
    ),
    "header-timeout": Code(
        HTTPStatus.REQUEST_TIMEOUT,
        "The headers of the request did not come whole in time.",
        "Send the request in one go; check the connection.",
    ),
    "headers-too-large": Code(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        "The headers of the request are too large or too many.",
        "Send fewer and shorter headers; cookies are not needed.",
    ),
    "too-many-connections": Code(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Too many connections are open, or too many of one address.",
        "Close those that are idle, and try again after the seconds that Retry-After names.",
    ),
    "not-ready": Code(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "A model is not ready, or the service is about to stop; only /readyz answers so.",
        "Send requests once it answers 200.",
    ),
    "length-required": Code(
        HTTPStatus.LENGTH_REQUIRED,
        "A gateway did not say how long a body is.",
        "Run the same version of both.",
        public=False,
    ),
    "unauthorised": Code(
        HTTPStatus.UNAUTHORIZED,
        "A gateway has not the token of the classifier pod.",
        "Give both the same CHESTXRAY_POD_TOKEN.",
        public=False,
    ),
    "another-model": Code(
        HTTPStatus.CONFLICT,
        "A gateway asks a classifier pod for another checkpoint than it has.",
        "Give both the same checkpoint.",
        public=False,
    ),
    "malformed-tensor": Code(
        HTTPStatus.BAD_REQUEST,
        "What a gateway sent to a classifier pod is not a batch of images.",
        "Run the same version of both.",
        public=False,
    ),
}
