"""Quotas: how many images a caller may send in a minute, and in jobs in a day.

A quota is the caller's, capacity is ours, and neither counts against the other: images are counted
once admission control has admitted them, so that a request that it refuses (503) costs nothing, and
a request that is refused here (429) is not load shedding. limits cannot give back what is counted:
images that were admitted stay counted, whatever becomes of their analysis.

Images of jobs have a quota of their own: they wait for capacity that nobody else needs, so that a
job must not make interactive requests fail. They are counted all at once, when the last has
arrived: a job that is refused costs nothing. A DICOM node is a caller like any other.

The response has the fields of draft-ietf-httpapi-ratelimit-headers-11. `qu`, the unit, is left out:
images are not in its registry; the policy's name says what is counted.
"""

from dataclasses import dataclass
from http import HTTPStatus

from fastapi import Request

from bentos.caller_settings import CallerSettings
from bentos.callers.caller import Caller
from bentos.callers.quota_store import QuotaStore, Usage, Window
from bentos.http.problems import RequestProblem
from bentos.http.request_state import RequestState, state_of
from bentos.metric_labels import QuotaKind
from bentos.metrics import get_metrics


@dataclass(frozen=True)
class Policy:
    """What a quota counts."""

    name: str
    """In the response."""
    window: Window
    described: str


IMAGES = Policy("images", Window.MINUTE, "images per minute")
JOB_IMAGES = Policy("job-images", Window.DAY, "images of jobs per day")


class Quotas:
    """The quotas of all callers."""

    def __init__(self, settings: CallerSettings, store: QuotaStore | None = None) -> None:
        self._settings = settings
        self._store = store or QuotaStore(settings.quota_store.get_secret_value())

    async def allowance(self, request: Request, caller: Caller) -> "Allowance":
        """Returns what a request may spend, before its body is read.

        Raises RequestProblem 429 where that is nothing.
        """
        state = state_of(request.scope)
        if caller.is_visitor:  # a visitor could throw its cookie away
            limit = self._settings.visitor_images_per_minute
            made = Allowance(self._store, state, limit, state.caller, QuotaKind.ADDRESS)
        elif caller.is_person:
            limit = self._settings.visitor_images_per_minute
            made = Allowance(self._store, state, limit, caller.owner, QuotaKind.PERSON)
        else:
            own, default = caller.requests_per_minute, self._settings.key_images_per_minute
            limit = default if own is None else own
            made = Allowance(self._store, state, limit, caller.owner, QuotaKind.KEY)
        await made.check()
        return made

    async def job_allowance(self, request: Request, caller: Caller, address: str) -> "Allowance":
        """Returns how many images a job may have, before its body is read; `address` is that of
        the client.

        Raises RequestProblem 429 where there may be none.
        """
        if caller.is_visitor:
            limit, name = self._settings.visitor_job_images_per_day, address
            kind = QuotaKind.ADDRESS
        elif caller.is_person:
            limit, name = self._settings.visitor_job_images_per_day, caller.owner
            kind = QuotaKind.PERSON
        else:
            limit, name = self._settings.key_job_images_per_day, caller.owner
            kind = QuotaKind.KEY
        state = state_of(request.scope)
        made = Allowance(self._store, state, limit, name, kind, policy=JOB_IMAGES)
        await made.check()
        return made

    async def close(self) -> None:
        """Closes the connections to the store."""
        await self._store.close()


class Allowance:
    """What one request may spend of its caller's quota; 0 is no quota."""

    def __init__(
        self,
        store: QuotaStore,
        state: RequestState,
        limit: int,
        name: str,
        kind: QuotaKind,
        *,
        policy: Policy = IMAGES,
    ) -> None:
        self._store, self._state, self._limit = store, state, limit
        self._name, self._kind, self._policy = f"{kind}/{name}", kind, policy
        self._seen = Usage(limit, window=policy.window)

    async def check(self) -> None:
        """Raises RequestProblem 429 if not one image is left."""
        if self._limit and not (usage := await self._look()).remaining:
            raise self._refusal(usage, 1)

    def check_so_far(self, images: int) -> None:
        """Raises RequestProblem for more images than were left at the last look."""
        if not self._limit:
            return
        self._check_possible(images)
        if images > self._seen.remaining:
            raise self._refusal(self._seen, images)

    async def spend(self, images: int) -> None:
        """Counts images. Raises RequestProblem 429 if so many are not left."""
        if not self._limit:
            return
        self._check_possible(images)
        spent = await self._store.spend(self._name, self._limit, images, self._policy.window)
        usage = await self._look()
        if not spent:
            raise self._refusal(usage, images)

    def _check_possible(self, images: int) -> None:
        if images > self._limit:  # they would be refused forever
            detail = f"the quota is {self._limit} {self._policy.described}; send fewer at once"
            status = HTTPStatus.BAD_REQUEST
            raise RequestProblem(status, "too-many-images", detail, limit=self._limit)

    async def _look(self) -> Usage:
        usage = await self._store.usage(self._name, self._limit, self._policy.window)
        self._announce(usage, usage.wait(min(usage.remaining + 1, usage.limit)))
        self._seen = usage
        return usage

    def _announce(self, usage: Usage, seconds: int) -> None:
        """Says what is left; `seconds` until it is more, 0 if all is."""
        window = f";t={seconds}" if seconds else ""
        self._state.headers |= {
            "RateLimit-Policy": f'"{self._policy.name}";q={self._limit};w={usage.window.value}',
            "RateLimit": f'"{self._policy.name}";r={usage.remaining}{window}',
        }

    def _refusal(self, usage: Usage, images: int) -> RequestProblem:
        get_metrics().quota_refusals.labels(self._kind).inc()
        seconds = max(1, usage.wait(images))
        return RequestProblem(
            HTTPStatus.TOO_MANY_REQUESTS,
            "quota-exceeded",
            f"{usage.remaining} of {self._limit} {self._policy.described} are left, and the "
            f"request needs {images}; try again in {seconds} s",
            headers={"Retry-After": str(seconds)},
            **{"violated-policies": [self._policy.name]},
        )
