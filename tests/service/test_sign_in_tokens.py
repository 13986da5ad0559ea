"""Only the answer to what was asked signs in, whatever else comes."""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from joserfc.jwk import RSAKey

from bentos.callers.caller import VISITOR_SCOPES
from bentos.sign_in import attempt
from bentos.sign_in.errors import (
    ProviderUnavailable,
    SignInFailed,
    SignInRefused,
)
from bentos.sign_in.sign_in import SignIn
from tests.service.faulty_provider import PLACES, Provider
from tests.service.signing_in import answered, fails

SECRET = "a secret of the cookies, of a test"
DISCOVERY, KEYS, TOKEN, USERINFO = PLACES


def test_right_answer_signs_in(run_client: Callable[..., None], provider: Provider) -> None:
    async def test(signing: SignIn) -> None:
        session, _, place = await answered(signing, provider)

        assert session.caller.is_person and session.caller.scopes == VISITOR_SCOPES
        assert provider.subject not in session.caller.owner
        assert place == "/"

    run_client(test)


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
    run_client: Callable[..., None], provider: Provider, claims: dict[str, Any]
) -> None:
    provider.claims = claims
    run_client(lambda signing: fails(signing, provider, SignInFailed))


def test_token_without_a_signature_of_the_provider_is_refused(
    run_client: Callable[..., None], provider: Provider
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

    run_client(test)


def test_answer_to_something_else_is_refused(
    run_client: Callable[..., None], provider: Provider
) -> None:
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

    run_client(test)


def test_issuer_is_required_of_a_provider_that_names_itself(
    run_client: Callable[..., None], provider: Provider
) -> None:
    provider.metadata["authorization_response_iss_parameter_supported"] = True
    run_client(lambda signing: fails(signing, provider, SignInFailed, iss=None))


def test_code_and_cookie_are_good_for_one_sign_in(
    run_client: Callable[..., None], provider: Provider
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

    run_client(test)


def test_code_of_somebody_else_s_sign_in_is_refused(
    run_client: Callable[..., None], provider: Provider
) -> None:
    """PKCE: the code of one browser in another."""

    async def test(signing: SignIn) -> None:
        stolen = provider.authorise((await signing.begin("/"))[0])
        code = dict(parse_qsl(urlsplit(stolen).query))["code"]
        await fails(signing, provider, SignInFailed, code=code)

    run_client(test)


def test_attempt_ends_after_ten_minutes(
    run_client: Callable[..., None], provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(signing: SignIn) -> None:
        _, cookie = signing.attempts.begin("/")
        assert signing.attempts.recognise(cookie)
        monkeypatch.setattr(attempt, "SECONDS", -1)
        assert signing.attempts.recognise(cookie) is None

    run_client(test)


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
