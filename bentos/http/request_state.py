"""What the layers of one request tell each other."""

from dataclasses import dataclass, field

from starlette.types import Scope

from bentos.metric_labels import CallerKind, Outcome

_KEY = "request"


@dataclass
class RequestState:
    """Created by the middleware, which reports the outcome and the timing at the end."""

    request_id: str
    caller: str = ""
    """The client address that capacity is shared by; known once the request is admitted."""
    caller_kind: CallerKind = CallerKind.NONE
    outcome: Outcome | None = None
    """Where the status alone would mislead."""
    timing: dict[str, float] = field(default_factory=dict)
    """Milliseconds by stage, for the header Server-Timing."""
    headers: dict[str, str] = field(default_factory=dict)
    """Of the response, whatever it is."""


def begin(scope: Scope, request_id: str) -> RequestState:
    """Attaches a new state to a request."""
    state = RequestState(request_id)
    scope.setdefault("state", {})[_KEY] = state
    return state


def state_of(scope: Scope) -> RequestState:
    """Returns the state of a request. Raises KeyError outside of the middleware."""
    state: RequestState = scope["state"][_KEY]
    return state
