"""Sends people to the provider, and takes their roles from what they come back with: the
authorization code flow with PKCE (OpenID Connect Core 1.0, 3.1; RFC 7636; RFC 9207)."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote_plus, urlencode

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from bentos.callers.caller import Scope
from bentos.callers.sessions import Session, Sessions
from bentos.database.database import Database
from bentos.sign_in import id_token, roles
from bentos.sign_in.attempt import Attempt, Attempts
from bentos.sign_in.errors import ProviderUnavailable, SignInFailed, SignInRefused
from bentos.sign_in.fetching import Fetching
from bentos.sign_in.provider import Provider
from bentos.sign_in_settings import SignInSettings

CALLBACK = "/sign-in/callback"
_OWN_ERRORS: Mapping[str, type[ProviderUnavailable | SignInRefused]] = {
    "access_denied": SignInRefused,
    "server_error": ProviderUnavailable,
    "temporarily_unavailable": ProviderUnavailable,
}
"""Errors of the provider (RFC 6749, 4.1.2.1) that are no fault of the request."""
_ERROR_CODE = re.compile(r"[a-z_]{1,40}")


class SignIn:
    """The sign-in at one provider."""

    def __init__(self, settings: SignInSettings, database: Database, secret: str) -> None:
        """`secret` signs the cookies."""
        self.settings = settings
        self._client = settings.oidc_client_id
        self._secret = settings.oidc_client_secret.get_secret_value()
        self._fetching = Fetching()
        self.provider = Provider(settings.oidc_issuer, self._fetching)
        self.attempts = Attempts(secret, issuer=settings.oidc_issuer)
        lifetime = timedelta(hours=settings.oidc_session_hours)
        self.sessions = Sessions(database, secret, issuer=settings.oidc_issuer, lifetime=lifetime)

    async def begin(self, place: str) -> tuple[str, str]:
        """Returns the provider's address to go to, and the cookie of the attempt; `place` is where
        to go afterwards. Raises ProviderUnavailable."""
        metadata = await self.provider.metadata()
        attempt, cookie = self.attempts.begin(place)
        address = prepare_grant_uri(
            metadata["authorization_endpoint"],
            client_id=self._client,
            response_type="code",
            redirect_uri=self._redirect,
            scope=" ".join(["openid", *self.settings.oidc_scopes.split()]),
            state=attempt.state,
            nonce=attempt.nonce,
            code_challenge=create_s256_code_challenge(attempt.verifier),
            code_challenge_method="S256",
        )
        return str(address), cookie

    async def finish(self, answer: Mapping[str, str], cookie: str) -> tuple[Session, str, str]:
        """Returns the session of who came back, its cookie, and where to go; `answer` is the
        query. Raises SignInError."""
        attempt = self.attempts.recognise(cookie)
        if attempt is None or not attempt.is_answered_by(answer.get("state", "")):
            raise SignInFailed("this browser has not begun this sign-in, or too long ago")
        metadata = await self.provider.metadata()
        named = answer.get("iss")
        expected = metadata.get("authorization_response_iss_parameter_supported") is True
        if named != self.provider.issuer and (expected or named is not None):
            raise SignInFailed("the answer is of another issuer")
        if error := answer.get("error"):
            kind = _OWN_ERRORS.get(error, SignInFailed)
            code = error if _ERROR_CODE.fullmatch(error) else "an unknown error"
            raise kind(f"the provider answered {code}")
        token = await self._token(answer.get("code", ""), attempt, metadata)
        claims = await id_token.validated(
            token.get("id_token"),
            self.provider,
            client=self._client,
            nonce=attempt.nonce,
            access_token=str(token.get("access_token", "")),
        )
        scopes = await self._scopes(claims, token, metadata)
        session, made = self.sessions.begin(claims["sub"], scopes)
        return session, made, attempt.place

    async def end_address(self) -> str | None:
        """Returns the provider's address to go to after a sign-out, if it has one (RP-Initiated
        Logout 1.0). Without an ID token, which is not kept, it asks the person."""
        try:
            metadata = await self.provider.metadata()
        except ProviderUnavailable:
            return None
        if not (address := metadata.get("end_session_endpoint")):
            return None
        back = {
            "client_id": self._client,
            "post_logout_redirect_uri": f"{self.settings.public_url}/",
        }
        return f"{address}{'&' if '?' in address else '?'}{urlencode(back)}"

    async def close(self) -> None:
        """Closes the connections to the provider."""
        await self._fetching.close()

    @property
    def _redirect(self) -> str:
        return f"{self.settings.public_url}{CALLBACK}"

    async def _token(
        self, code: str, attempt: Attempt, metadata: Mapping[str, Any]
    ) -> dict[str, Any]:
        if not code:
            raise SignInFailed("the answer has no code")
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect,
            "code_verifier": attempt.verifier,
        }
        auth = None
        offered = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if self._secret and "client_secret_basic" in offered:
            auth = quote_plus(self._client), quote_plus(self._secret)  # RFC 6749, 2.3.1
        else:
            form |= {"client_id": self._client}
            form |= {"client_secret": self._secret} if self._secret else {}
        status, token = await self._fetching.post(metadata["token_endpoint"], form, auth=auth)
        if status != 200:
            found = str(token.get("error"))
            error = found if _ERROR_CODE.fullmatch(found) else status
            raise SignInFailed(f"the provider did not accept the code: {error}")
        return token

    async def _scopes(
        self, claims: Mapping[str, Any], token: Mapping[str, Any], metadata: Mapping[str, Any]
    ) -> frozenset[Scope]:
        path, more = self.settings.oidc_roles_claim, metadata.get("userinfo_endpoint")
        found = roles.find(claims, path) if path else None
        if path and found is None and more and token.get("access_token"):
            about = await self._fetching.get(more, token=str(token["access_token"]))
            if about.get("sub") != claims["sub"]:  # OpenID Connect Core 1.0, 5.3.2
                raise SignInFailed("the provider's userinfo is of another person")
            found = roles.find(about, path)
        return roles.scopes_of(found, self.settings)
