"""A provider that is gone, changes its keys, or answers something else; and the roles it tells."""

import asyncio
import gzip
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from joserfc.jwk import RSAKey

from bentos.callers.caller import VISITOR_SCOPES, Scope
from bentos.sign_in import fetching
from bentos.sign_in.errors import (
    ProviderUnavailable,
    SignInFailed,
    SignInRefused,
)
from bentos.sign_in.sign_in import SignIn
from tests.service.faulty_provider import PLACES, Provider
from tests.service.signing_in import PUBLIC, answered, fails

DISCOVERY, KEYS, TOKEN, USERINFO = PLACES


def test_new_key_is_read_and_unknown_ones_do_not_ask_again_and_again(
    run_client: Callable[..., None], provider: Provider
) -> None:
    async def test(signing: SignIn) -> None:
        now = 1000.0
        signing.provider._keys._clock = lambda: now
        await answered(signing, provider)
        await answered(signing, provider)
        assert provider.asked[KEYS] == 1

        provider.key = RSAKey.generate_key(2048, {"kid": "second"})
        provider.published = [provider.key]
        now += 11
        await answered(signing, provider)
        assert provider.asked[KEYS] == 2

        provider.sign = lambda claims: provider.signed(claims, kid="made up")
        for _ in range(5):
            await fails(signing, provider, SignInFailed)
        assert provider.asked[KEYS] == 2

    run_client(test)


def test_keys_of_unknown_kinds_beside_the_right_one_do_no_harm(
    run_client: Callable[..., None], provider: Provider
) -> None:
    others: list[Any] = [
        {"kty": "new"}, {"kty": "EC", "crv": "unknown"}, {"kty": "RSA", "n": "!"}, 7, {},
    ]  # fmt: skip
    original = provider.answer

    def answer(path: str, form: dict[str, str], authorization: str) -> tuple[int, Any]:
        status, found = original(path, form, authorization)
        return status, {"keys": others + found["keys"]} if path == KEYS else found

    provider.answer = answer  # type: ignore[method-assign]
    run_client(lambda signing: answered(signing, provider))


RAW: dict[str, tuple[int, dict[str, str], bytes]] = {
    "an error": (500, {}, b"{}"),
    "no JSON": (200, {}, b"<html>"),
    "a list": (200, {}, b"[]"),
    "a redirect": (302, {"Location": "http://127.0.0.1:1/"}, b"{}"),
    "too much": (200, {}, b'"' + b"a" * fetching.MAX_BYTES + b'"'),
    "compressed": (200, {"Content-Encoding": "gzip"}, gzip.compress(b"{}")),
    "deeply nested": (200, {}, b"[" * 100_000),
}


@pytest.mark.parametrize("raw", RAW.values(), ids=RAW)
def test_provider_that_answers_anything_else_is_unavailable(
    run_client: Callable[..., None], provider: Provider, raw: tuple[int, dict[str, str], bytes]
) -> None:
    async def test(signing: SignIn) -> None:
        for path in (DISCOVERY, KEYS, TOKEN):
            signing.provider._metadata._clock = signing.provider._keys._clock = time.monotonic
            signing.provider.__init__(provider.issuer, signing._fetching)  # type: ignore[misc]
            provider.raw = {path: raw}
            is_failure = path == TOKEN and raw[0] in range(300, 500)
            wanted = SignInFailed if is_failure else ProviderUnavailable
            await fails(signing, provider, wanted)

    run_client(test)


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"token_endpoint": "ftp://login.example/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": None},
        {"end_session_endpoint": 7},
    ],
)
def test_discovery_document_of_another_or_without_addresses_is_not_used(
    run_client: Callable[..., None], provider: Provider, changes: dict[str, Any]
) -> None:
    async def test(signing: SignIn) -> None:
        with pytest.raises(ProviderUnavailable):
            await signing.begin("/")

    provider.metadata |= changes
    run_client(test)


def test_provider_that_comes_back_is_used_without_a_restart(
    run_client: Callable[..., None], provider: Provider
) -> None:
    async def test(signing: SignIn) -> None:
        now = 1000.0
        signing.provider._metadata._clock = lambda: now
        provider.raw = {DISCOVERY: RAW["an error"]}
        results = await asyncio.gather(
            *(signing.begin("/") for _ in range(20)), return_exceptions=True
        )
        assert {type(each) for each in results} == {ProviderUnavailable}
        assert provider.asked[DISCOVERY] == 1  # those who waited did not ask in turn

        provider.raw, now = {}, now + 2
        await answered(signing, provider)
        provider.raw, now = {DISCOVERY: RAW["an error"]}, now + 7200
        await answered(signing, provider)  # the earlier document serves

    run_client(test)


@pytest.mark.parametrize("roles", [None, [], ["unknown"], "not it", {"it": True}, [["it"]], 7])
def test_nothing_but_a_known_role_is_one(
    run_client: Callable[..., None], provider: Provider, roles: Any
) -> None:
    async def test(signing: SignIn) -> None:
        if signing.settings.oidc_without_role:
            session, _, _ = await answered(signing, provider)
            assert session.caller.scopes == VISITOR_SCOPES
        else:
            await fails(signing, provider, SignInRefused)

    provider.claims = {"groups": roles}
    known = {"oidc_roles_claim": "groups", "oidc_roles": {"it": [Scope.ADMIN]}}
    run_client(test, oidc_without_role=False, **known)
    run_client(test, oidc_without_role=True, **known)


def test_role_in_a_claim_with_dots_in_its_name_is_found(
    run_client: Callable[..., None], provider: Provider
) -> None:
    async def test(signing: SignIn) -> None:
        session, _, _ = await answered(signing, provider)
        assert session.caller.scopes == {Scope.ADMIN}

    name = "https://example.org/roles"
    provider.claims = {name: ["it"]}
    run_client(test, oidc_roles_claim=name, oidc_roles={"it": [Scope.ADMIN]})


def test_public_client_and_secret_in_the_form(
    run_client: Callable[..., None], provider: Provider
) -> None:
    forms: list[dict[str, str]] = []

    async def test(signing: SignIn) -> None:
        with pytest.raises(SignInFailed):  # this provider wants the header
            await answered(signing, provider)

    original = provider.answer

    def answer(path: str, form: dict[str, str], authorization: str) -> tuple[int, Any]:
        if path == TOKEN:
            forms.append(form | {"authorization": authorization})
        return original(path, form, authorization)

    provider.answer = answer  # type: ignore[method-assign]
    run_client(test, oidc_client_secret="")
    provider.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    run_client(test)

    assert [each.get("client_secret") for each in forms] == [None, "a secret of the client"]
    assert [each["client_id"] for each in forms] == ["chestxray", "chestxray"]
    assert [each["authorization"] for each in forms] == ["", ""]


def test_session_is_believed_for_a_while_without_the_database(
    run_client: Callable[..., None], provider: Provider, tmp_path: Any
) -> None:
    from bentos.database import schema
    from bentos.database.errors import StorageUnavailable

    async def test(signing: SignIn) -> None:
        sessions, now = signing.sessions, 1000.0
        sessions._clock = lambda: now
        await schema.migrate(sessions._database)
        _, cookie, _ = await answered(signing, provider)
        assert await sessions.find(cookie)

        async def gone(identifier: str) -> bool:
            raise StorageUnavailable("gone")

        sessions._is_listed = gone  # type: ignore[method-assign]
        now += 600
        assert await sessions.find(cookie)
        now += 600
        with pytest.raises(StorageUnavailable):
            await sessions.find(cookie)
        sessions._now = lambda: datetime.now(UTC) + timedelta(hours=9)
        assert await sessions.find(cookie) is None

    run_client(test)


def test_provider_is_told_where_we_are_by_the_setting(
    run_client: Callable[..., None], provider: Provider
) -> None:
    async def test(signing: SignIn) -> None:
        address, _ = await signing.begin("/")
        asked = dict(parse_qsl(urlsplit(address).query))

        assert asked["redirect_uri"] == f"{PUBLIC}/xray/sign-in/callback"
        assert asked["scope"] == "openid profile roles"
        assert len(asked["state"]) > 30 and len(asked["nonce"]) > 30

    run_client(test, public_url=f"{PUBLIC}/xray/", oidc_scopes="profile roles")
