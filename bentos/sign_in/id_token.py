"""Validates ID tokens (OpenID Connect Core 1.0, 3.1.3.7)."""

from typing import Any

from authlib.oidc.core.claims import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from bentos.sign_in.errors import SignInFailed
from bentos.sign_in.provider import Provider

ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
"""By public keys alone: `none` is no signature, and for HS256 a public key could be the secret."""
_LEEWAY_SECONDS = 60
"""What the clocks may differ."""
_MAX_CHARACTERS = 2**16
_REGISTRY = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)


async def validated(
    text: object, provider: Provider, *, client: str, nonce: str, access_token: str
) -> dict[str, Any]:
    """Returns the claims of a token that the provider has signed for this client and this sign-in.

    Raises SignInFailed or ProviderUnavailable.
    """
    if not isinstance(text, str) or len(text) > _MAX_CHARACTERS:
        raise SignInFailed("the provider sent no ID token")
    try:
        token = await _verified(text, provider)
        claims = CodeIDToken(
            token.claims,
            token.header,
            {
                "iss": {"essential": True, "value": provider.issuer},
                "sub": {"essential": True},
                "aud": {"essential": True, "value": client},
            },
            {"nonce": nonce, "client_id": client, "access_token": access_token},
        )
        claims.validate(leeway=_LEEWAY_SECONDS)
    except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise SignInFailed(f"the ID token is not valid: {type(error).__name__}") from error
    return dict(claims)


async def _verified(text: str, provider: Provider) -> jwt.Token:
    try:
        return _decoded(text, await provider.keys())
    except InvalidKeyIdError:  # the provider may have a new key
        return _decoded(text, await provider.keys(newer=True))


def _decoded(text: str, keys: KeySet) -> jwt.Token:
    return jwt.decode(text, keys, registry=_REGISTRY)
