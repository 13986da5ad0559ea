"""Turns the refusal in a decoder's answer into the error that it stands for."""

from bentos.decoding.protocol import Answer
from chestxray import errors
from chestxray.errors import RejectedImage


def _kinds(root: type[RejectedImage]) -> dict[str, type[RejectedImage]]:
    kinds = {root.code: root}
    for kind in root.__subclasses__():
        kinds |= _kinds(kind)
    return kinds


def error_of(answer: Answer) -> Exception | None:
    """Returns the error in an answer, if any. Raises ValueError for an unknown code."""
    if answer.fault:
        return RuntimeError(f"the decoder raised {answer.fault}")
    if not answer.code:
        return None
    kind = _kinds(RejectedImage).get(answer.code)
    if kind is None or kind is errors.NotAnXRay:
        raise ValueError("unknown error code")
    error = kind.__new__(kind, answer.detail)  # __init__ may have other parameters
    vars(error).update(answer.facts)
    return error
