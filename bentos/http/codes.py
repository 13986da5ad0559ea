"""Table of all problem codes: status, meaning, and advice."""

from http import HTTPStatus

from bentos.http.caller_codes import CALLER_CODES
from bentos.http.code import RETRY, Code
from chestxray.limits import LEAST_FILM_SIDE

PAGE = "/docs/problems"
"""Path of the page that explains the codes; a problem's `type` links to the anchor of its code."""


_SAVE_AGAIN = "Open the file in a viewer and save it again, or export it again."

CODES = {
    "empty-image": Code(
        HTTPStatus.BAD_REQUEST,
        "The image has no bytes.",
        "Send the bytes of the image; check that the file was opened and is not empty.",
    ),
    "missing-image": Code(
        HTTPStatus.BAD_REQUEST,
        "The form has no parts.",
        "Send the file in the field named image.",
    ),
    "not-a-file": Code(
        HTTPStatus.BAD_REQUEST,
        "The image is text: an address, a data: URL, base64 or similar.",
        "Send the bytes of the file; URLs are not fetched and base64 is not decoded.",
    ),
    "unexpected-field": Code(
        HTTPStatus.BAD_REQUEST,
        "The form has a field with a name other than image.",
        "Name the file's field exactly image, and send no other field.",
    ),
    "too-many-images": Code(
        HTTPStatus.BAD_REQUEST,
        "The request has more images than the route's limit.",
        "Send one image to /v1/analyses, and several to /v1/analyses/batch.",
    ),
    "malformed-form": Code(
        HTTPStatus.BAD_REQUEST,
        "The body is not valid multipart/form-data.",
        "Let the HTTP library write the body and its Content-Type; do not set the header yourself.",
    ),
    "malformed-multipart": Code(
        HTTPStatus.BAD_REQUEST,
        "The body is not valid multipart/related, or has no parts.",
        "Send each DICOM object in a part of its own; the Content-Type names the boundary.",
    ),
    "malformed-request": Code(
        HTTPStatus.BAD_REQUEST,
        "The request is not valid HTTP, or is ambiguous.",
        "Correct the request, or use another HTTP client.",
    ),
    "invalid-parameter": Code(
        HTTPStatus.BAD_REQUEST,
        "A parameter or header is unknown, or its value is invalid.",
        "Send one of the values listed in /openapi.json.",
    ),
    "cors-not-allowed": Code(
        HTTPStatus.FORBIDDEN,
        "Pages of other sites may not send this request.",
        "Ask the operator to add the site to CHESTXRAY_CORS_ORIGINS.",
    ),
    "sender-not-allowed": Code(
        HTTPStatus.FORBIDDEN,
        "The address may not store DICOM objects.",
        "Ask the operator to list the address in CHESTXRAY_DICOM_PEERS.",
    ),
    "storage-disabled": Code(
        HTTPStatus.NOT_FOUND,
        "The service stores no DICOM objects.",
        "Send images to /v1/analyses, or ask the operator to set CHESTXRAY_DICOM_QUEUE.",
    ),
    "not-found": Code(
        HTTPStatus.NOT_FOUND,
        "There is nothing at this path.",
        "Check the path against /docs.",
    ),
    "method-not-allowed": Code(
        HTTPStatus.METHOD_NOT_ALLOWED,
        "The path does not support this method.",
        "Use one of the methods in the Allow header.",
    ),
    "not-acceptable": Code(
        HTTPStatus.NOT_ACCEPTABLE,
        "The Accept header allows none of the route's media types.",
        "Accept application/json; offered lists what the route has.",
    ),
    "body-timeout": Code(
        HTTPStatus.REQUEST_TIMEOUT,
        "The body arrived too slowly.",
        "Send the request again; on a slow connection, send a smaller image.",
    ),
    "body-too-large": Code(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "The body is larger than the route's limit.",
        "Compress the image, or send fewer images; /v1/limits lists the limits.",
    ),
    "image-too-small": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The radiograph has too few pixels for the models.",
        "Send the radiograph as it was exported, not a thumbnail; its shorter side needs at least "
        f"{LEAST_FILM_SIDE} pixels.",
    ),
    "not-one-film": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The aspect ratio is not that of a single chest radiograph.",
        "Send one radiograph per image.",
    ),
    "image-too-costly": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "Decoding the image exceeds, or would exceed, the limit on time or memory.",
        _SAVE_AGAIN,
    ),
    "blank-image": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "Every pixel has the same value, or no pixel has a finite one.",
        "Check the export.",
    ),
    "image-too-large": Code(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "The image has more bytes or pixels than the limit.",
        "Downscale the image, or save it as JPEG; /v1/limits lists the limits.",
    ),
    "unsupported-media-type": Code(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "The Content-Type is not one that the route takes; for most that is one for images.",
        "Send a form with the file in the field image, or the bytes of the image as image/* or "
        "application/octet-stream.",
    ),
    "unsupported-content-encoding": Code(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "The body, or a part of the form, is encoded, for example with gzip or base64.",
        "Send the bytes unencoded; images are already compressed.",
    ),
    "unsupported-format": Code(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "The file format is not supported.",
        "Send one of the formats listed in /v1/limits.",
    ),
    "unsupported-variant": Code(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "The format is supported, but not this variant, which found names. The file is intact.",
        "Save the image as PNG, as 8-bit or 16-bit TIFF, or as JPEG.",
    ),
    "polyglot-file": Code(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "The file is valid in another format as well.",
        _SAVE_AGAIN,
    ),
    "other-examination": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The DICOM header says that the image is no frontal chest radiograph; found says what.",
        "Send an AP or PA chest radiograph. If it is one, correct the header.",
    ),
    "rejected-image": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The image cannot be analysed.",
        "Send another image.",
    ),
    "unreadable-image": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The format is supported, but the file cannot be decoded.",
        _SAVE_AGAIN,
    ),
    "truncated-image": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The file ends early.",
        "Send the whole file.",
    ),
    "multi-frame-image": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The file has several frames or pages.",
        "Send a single picture.",
    ),
    "not-a-frontal-chest-xray": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The filter rejected the image: it is not an upright frontal chest X-ray.",
        "detail says what to do, filter has the verdict and all scores: rotate the image, send the "
        "frontal view, or crop the image to the radiograph.",
    ),
    "analysis-failed": Code(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "The analysis failed.",
        "Report the request_id to the operator.",
    ),
    "internal-error": Code(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "An internal error occurred.",
        "Report the request_id to the operator.",
    ),
    "overloaded": Code(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The service is at capacity, in total or for one client address.",
        RETRY,
    ),
    "storage-unavailable": Code(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The queue of stored DICOM objects, or the place for kept analyses, is full or does not "
        "answer. Analyses that are not kept are not affected.",
        RETRY,
    ),
    "draining": Code(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The service is shutting down.",
        RETRY,
    ),
    "model-unavailable": Code(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "A model is unavailable.",
        RETRY,
    ),
    "deadline-exceeded": Code(
        HTTPStatus.GATEWAY_TIMEOUT,
        "The request's deadline passed before there was a result.",
        "Try again, or allow more time in X-Request-Timeout-Ms.",
    ),
    "method-not-implemented": Code(
        HTTPStatus.NOT_IMPLEMENTED,
        "No path supports the method.",
        "Use GET, HEAD, POST or OPTIONS.",
    ),
    "unsupported-http-version": Code(
        HTTPStatus.HTTP_VERSION_NOT_SUPPORTED,
        "The HTTP version is neither 1.0 nor 1.1.",
        "Send HTTP/1.1.",
    ),
    "expectation-failed": Code(
        HTTPStatus.EXPECTATION_FAILED,
        "The Expect header is not 100-continue.",
        "Omit the header.",
    ),
    "unsupported-transfer-coding": Code(
        HTTPStatus.NOT_IMPLEMENTED,
        "The Transfer-Encoding is not exactly chunked.",
        "Send the body with a Content-Length, or chunked.",
    ),
    "header-timeout": Code(
        HTTPStatus.REQUEST_TIMEOUT,
        "The headers of the request did not arrive in time.",
        "Send all headers at once; check the connection.",
    ),
    "headers-too-large": Code(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        "The headers of the request are too large or too many.",
        "Send fewer and shorter headers; cookies are not needed.",
    ),
    "too-many-connections": Code(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Too many connections are open, in total or from one address.",
        "Close idle connections, and try again after the number of seconds in Retry-After.",
    ),
    "not-ready": Code(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "A model is not ready, or the service is shutting down. Only /readyz returns this.",
        "Send requests when /readyz returns 200.",
    ),
    "length-required": Code(
        HTTPStatus.LENGTH_REQUIRED,
        "A gateway's request has no Content-Length.",
        "Run the same version of both.",
        public=False,
    ),
    "unauthorised": Code(
        HTTPStatus.UNAUTHORIZED,
        "A gateway does not have the classifier pod's token.",
        "Give both the same CHESTXRAY_POD_TOKEN.",
        public=False,
    ),
    "another-model": Code(
        HTTPStatus.CONFLICT,
        "The gateway's checkpoint differs from the classifier pod's.",
        "Give both the same checkpoint.",
        public=False,
    ),
    "malformed-tensor": Code(
        HTTPStatus.BAD_REQUEST,
        "A gateway's request is not a batch of images.",
        "Run the same version of both.",
        public=False,
    ),
} | CALLER_CODES
