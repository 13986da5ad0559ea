"""What a key to be made may be, and what is said of a body that is none."""

import json
from collections.abc import Callable

import pytest

from bentos.callers.caller import Scope
from tests.service.fakes import check_problem
from tests.service.keeping import Gateway
from tests.service.test_keys import KEYS, NEW, made

Run = Callable[..., None]


def test_limit_that_is_null_is_the_default(run_keeping: Run) -> None:
    """Found by Schemathesis: it was answered with 500."""

    async def test(gateway: Gateway) -> None:
        admin = await gateway.holder(*Scope)
        names = ("requests_per_minute", "retention_hours", "expires_days")
        key = await made(admin, **dict.fromkeys(names))

        assert (key["requests_per_minute"], key["expires_at"]) == (None, None)

    run_keeping(test)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "the body"),
        (b"[]", "the body"),
        (b'{"name": "a"}', "scopes"),
        (b'{"name": "a", "scopes": []}', "scopes"),
        (b'{"name": "a", "scopes": ["root"]}', "scopes"),
        (b'{"name": " ", "scopes": ["analyse"]}', "name"),
        (b'{"name": "a\\nb", "scopes": ["analyse"]}', "name"),
        (b'{"name": "a", "scopes": ["analyse"], "expires_days": 0}', "expires_days"),
        (b'{"name": "a", "scopes": ["analyse"], "secret": "mine"}', "unknown member"),
    ],
)
def test_malformed_key_is_refused_without_being_repeated(
    run_keeping: Run, body: bytes, said: str
) -> None:
    async def test(gateway: Gateway) -> None:
        admin = await gateway.holder(*Scope)
        answer = await admin.post(KEYS, content=body, headers={"content-type": "application/json"})

        detail = check_problem(answer, 400, "invalid-parameter").detail
        assert said in detail
        assert not any(word in detail for word in ("root", "mine"))

    run_keeping(test)


def test_body_is_bounded_and_must_be_json(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        admin = await gateway.holder(*Scope)
        headers = {"content-type": "application/json"}
        large = await admin.post(KEYS, content=b" " * 10_000, headers=headers)
        plain = await admin.post(KEYS, content=json.dumps(NEW), headers={"content-type": "text/a"})

        check_problem(large, 413, "body-too-large")
        check_problem(plain, 415, "unsupported-media-type")

    run_keeping(test)
