"""What a provider, or somebody between, may send: only the answer to what was asked signs in."""

import asyncio
import gzip
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from joserfc.jwk import RSAKey

from bentos.callers.caller import VISITOR_SCOPES, Scope
from bentos.callers.sessions import Session
from bentos.database.database import Database
from bentos.settings import Settings
from bentos.sign_in import attempt, fetching
from bentos.sign_in.errors import (
    ProviderUnavailable,
    SignInError,
    SignInFailed,
    SignInRefused,
)
from bentos.sign_in.sign_in import SignIn
from tests.service.faulty_provider import PLACES, Provider, faulty_provider
from tests.service.signing_in import PUBLIC, settings_of

SECRET = "a secret of the cookies, of a test"
Test = Callable[[SignIn], Awaitable[None]]
DISCOVERY, KEYS, TOKEN, USERINFO = PLACES


@pytest.fixture
def provider() -> Iterator[Provider]:
    with faulty_provider() as running:
        yield running


@pytest.fixture
def run(provider: Provider, tmp_path: Any) -> Callable[..., None]:
    """Runs an async test with a client of the provider."""

    def start(test: Test, **changes: Any) -> None:
        settings = Settings(data_folder=str(tmp_path), **settings_of(provider, **changes))

        async def main() -> None:
            database = Database("", data_folder=str(tmp_path))
            made = SignIn(settings, database, SECRET)
            try:
                await test(made)
            finally:
                await made.close()
                await database.close()

        asyncio.run(main())

    return start


async def answered(
    signing: SignIn, provider: Provider, **changes: str | None
) -> tuple[Session, str, str]:
    """Signs in, with changes of what the browser brings back."""
    address, cookie = await signing.begin("/")
    query = dict(parse_qsl(urlsplit(provider.authorise(address)).query)) | changes
    return await signing.finish({k: v for k, v in query.items() if v is not None}, cookie)


async def fails(
    signing: SignIn, provider: Provider, wanted: type[SignInError], /, **changes: Any
) -> None:
    with pytest.raises(wanted) as raised:
        await answered(signing, provider, **changes)
    assert type(raised.value) is wanted
    for private in (provider.subject, "Maria", "maria@"):
        assert private not in str(raised.value)


def test_right_answer_signs_in(run: Callable[..., None], provider: Provider) -> None:
    async def test(signing: SignIn) -> None:
        session, _, place = await answered(signing, provider)

        assert session.caller.is_person and session.caller.scopes == VISITOR_SCOPES
        assert provider.subject not in session.caller.owner
        assert place == "/"

    run(test)


NOW = int(time.time())
CLAIMS: dict[str, dict[str, Any]] = {
    "nonce of another sign-in": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "another audience": {"aud": "somebody else"},
    "another audience of several": {"aud": ["somebody else", "and another"]},
    "several audiences, none authorised": {"aud": ["chestxray", "and another"]},
    "another authorised party": {"aud": ["chestxray", "b"], "azp": "b"},
    "no audience": {"aud": None},
    "another issuer": {"iss": "https://evil.example"},
    "no issuer": {"iss": None},
    "expired": {"exp": NOW - 3600, "iat": NOW - 7200},
    "no expiry": {"exp": None},
    "an expiry that is no number": {"exp": "tomorrow"},
    "of the future": {"iat": NOW + 3600, "nbf": NOW + 3600},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a subject that is no text": {"sub": 7},
    "of another access token": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
}


@pytest.mark.parametrize("claims", CLAIMS.values(), ids=CLAIMS)
def test_token_that_says_something_else_is_refused(
    run: Callable[..., None], provider: Provider, claims: dict[str, Any]
) -> None:
    provider.claims = claims
    run(lambda signing: fails(signing, provider, SignInFailed))


def test_token_without_a_signature_of_the_provider_is_refused(
    run: Callable[..., None], provider: Provider
) -> None:
    thief = RSAKey.generate_key(2048, {"kid": "first"})

    async def test(signing: SignIn) -> None:
        for sign in (
            provider.unsigned,
            provider.signed_by_the_public_key,
            lambda claims: provider.signed(claims)[:-8] + "AAAAAAAA",
            lambda claims: "no token",
            lambda claims: "",
        ):
            provider.sign = sign
            await fails(signing, provider, SignInFailed)
        provider.sign, provider.published, provider.key = provider.signed, provider.published, thief
        await fails(signing, provider, SignInFailed)

    run(test)


def test_answer_to_something_else_is_refused(run: Callable[..., None], provider: Provider) -> None:
    async def test(signing: SignIn) -> None:
        for changes in (
            {"state": "another"},
            {"state": None},
            {"state": ""},
            {"state": "ü"},
            {"code": "another"},
            {"code": None},
            {"iss": "https://evil.example"},
            {"error": "invalid_request"},
            {"error": "<script>"},
        ):
            await fails(signing, provider, SignInFailed, **changes)
        await fails(signing, provider, SignInRefused, error="access_denied")
        await fails(signing, provider, ProviderUnavailable, error="temporarily_unavailable")

    run(test)


def test_issuer_is_required_of_a_provider_that_names_itself(
    run: Callable[..., None], provider: Provider
) -> None:
    provider.metadata["authorization_response_iss_parameter_supported"] = True
    run(lambda signing: fails(signing, provider, SignInFailed, iss=None))


def test_code_and_cookie_are_good_for_one_sign_in(
    run: Callable[..., None], provider: Provider
) -> None:
    async def test(signing: SignIn) -> None:
        address, cookie = await signing.begin("/")
        query = dict(parse_qsl(urlsplit(provider.authorise(address)).query))
        _, other = await signing.begin("/")
        for wrong in (other, "", cookie[:-1], "ü"):  # of another browser, or none
            with pytest.raises(SignInFailed):
                await signing.finish(query, wrong)
        await signing.finish(query, cookie)

        with pytest.raises(SignInFailed):
            await signing.finish(query, cookie)

    run(test)


def test_code_of_somebody_else_s_sign_in_is_refused(
    run: Callable[..., None], provider: Provider
) -> None:
    """PKCE: the code of one browser in another."""

    async def test(signing: SignIn) -> None:
        stolen = provider.authorise((await signing.begin("/"))[0])
        code = dict(parse_qsl(urlsplit(stolen).query))["code"]
        await fails(signing, provider, SignInFailed, code=code)

    run(test)


def test_attempt_ends_after_ten_minutes(
    run: Callable[..., None], provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(signing: SignIn) -> None:
        _, cookie = signing.attempts.begin("/")
        assert signing.attempts.recognise(cookie)
        monkeypatch.setattr(attempt, "SECONDS", -1)
        assert signing.attempts.recognise(cookie) is None

    run(test)


@pytest.mark.parametrize(
    ("place", "kept"),
    [
        ("/#kept", "/#kept"),
        ("/docs?a=b%20c", "/docs?a=b%20c"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/a\\b", "/"),
        ("/\tevil.example", "/"),
        ("/\r\nSet-Cookie: a=b", "/"),
        ("javascript:alert(1)", "/"),
        ("@evil.example", "/"),
        (".evil.example", "/"),
        ("", "/"),
        (f"/{'a' * 600}", "/"),
    ],
)
def test_nobody_is_sent_elsewhere_after_the_sign_in(place: str, kept: str) -> None:
    attempts = attempt.Attempts(SECRET, issuer="https://login.example")
    made, cookie = attempts.begin(place)

    assert made.place == kept
    assert attempts.recognise(cookie) == made


def test_new_key_is_read_and_unknown_ones_do_not_ask_again_and_again(
    run: Callable[..., None], provider: Provider
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

    run(test)


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
    run: Callable[..., None], provider: Provider, raw: tuple[int, dict[str, str], bytes]
) -> None:
    async def test(signing: SignIn) -> None:
        for path in (DISCOVERY, KEYS, TOKEN):
            signing.provider._metadata._clock = signing.provider._keys._clock = time.monotonic
            signing.provider.__init__(provider.issuer, signing._fetching)  # type: ignore[misc]
            provider.raw = {path: raw}
            is_failure = path == TOKEN and raw[0] in range(300, 500)
            wanted = SignInFailed if is_failure else ProviderUnavailable
            await fails(signing, provider, wanted)

    run(test)


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
    run: Callable[..., None], provider: Provider, changes: dict[str, Any]
) -> None:
    async def test(signing: SignIn) -> None:
        with pytest.raises(ProviderUnavailable):
            await signing.begin("/")

    provider.metadata |= changes
    run(test)


def test_provider_that_comes_back_is_used_without_a_restart(
    run: Callable[..., None], provider: Provider
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

    run(test)


@pytest.mark.parametrize("roles", [None, [], ["unknown"], "not it", {"it": True}, [["it"]], 7])
def test_nothing_but_a_known_role_is_one(
    run: Callable[..., None], provider: Provider, roles: Any
) -> None:
    async def test(signing: SignIn) -> None:
        if signing.settings.oidc_without_role:
            session, _, _ = await answered(signing, provider)
            assert session.caller.scopes == VISITOR_SCOPES
        else:
            await fails(signing, provider, SignInRefused)

    provider.claims = {"groups": roles}
    known = {"oidc_roles_claim": "groups", "oidc_roles": {"it": [Scope.ADMIN]}}
    run(test, oidc_without_role=False, **known)
    run(test, oidc_without_role=True, **known)


def test_role_in_a_claim_with_dots_in_its_name_is_found(
    run: Callable[..., None], provider: Provider
) -> None:
    async def test(signing: SignIn) -> None:
        session, _, _ = await answered(signing, provider)
        assert session.caller.scopes == {Scope.ADMIN}

    name = "https://example.org/roles"
    provider.claims = {name: ["it"]}
    run(test, oidc_roles_claim=name, oidc_roles={"it": [Scope.ADMIN]})


def test_public_client_and_secret_in_the_form(run: Callable[..., None], provider: Provider) -> None:
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
    run(test, oidc_client_secret="")
    provider.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    run(test)

    assert [each.get("client_secret") for each in forms] == [None, "a secret of the client"]
    assert [each["client_id"] for each in forms] == ["chestxray", "chestxray"]
    assert [each["authorization"] for each in forms] == ["", ""]


def test_session_is_believed_for_a_while_without_the_database(
    run: Callable[..., None], provider: Provider, tmp_path: Any
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

    run(test)


def test_provider_is_told_where_we_are_by_the_setting(
    run: Callable[..., None], provider: Provider
) -> None:
    async def test(signing: SignIn) -> None:
        address, _ = await signing.begin("/")
        asked = dict(parse_qsl(urlsplit(address).query))

        assert asked["redirect_uri"] == f"{PUBLIC}/xray/sign-in/callback"
        assert asked["scope"] == "openid profile roles"
        assert len(asked["state"]) > 30 and len(asked["nonce"]) > 30

    run(test, public_url=f"{PUBLIC}/xray/", oidc_scopes="profile roles")
