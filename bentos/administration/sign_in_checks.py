"""Whether people can sign in: the provider answers, and fits what is set."""

from collections.abc import AsyncIterator

from bentos.administration.findings import Finding, fault, ok, warning
from bentos.settings import Settings
from bentos.settings_checks import variable_of
from bentos.sign_in.errors import ProviderUnavailable
from bentos.sign_in.fetching import Fetching
from bentos.sign_in.id_token import ALGORITHMS
from bentos.sign_in.provider import Provider
from bentos.sign_in.sign_in import CALLBACK

_CHECK = "sign-in"
_ALGORITHMS, _METHODS, _SCOPES = (
    "id_token_signing_alg_values_supported",
    "code_challenge_methods_supported",
    "scopes_supported",
)


async def check(settings: Settings) -> AsyncIterator[Finding]:
    """Reads the discovery document and the keys; nobody signs in."""
    if not settings.signs_in:
        return
    fetching = Fetching()
    provider = Provider(settings.oidc_issuer, fetching)
    try:
        metadata = await provider.metadata()
        keys = await provider.keys()
    except ProviderUnavailable as error:
        remedy = f"see {variable_of('oidc_issuer')}, and whether this machine may send there"
        yield fault(_CHECK, f"{settings.oidc_issuer}: {error}", remedy)
        return
    finally:
        await fetching.close()
    back = f"{settings.public_url}{CALLBACK}"
    yield ok(_CHECK, f"{settings.oidc_issuer} has {len(keys.keys)} keys; it must know {back}")
    algorithms = metadata.get(_ALGORITHMS, ["RS256"])
    if not set(algorithms) & set(ALGORITHMS):
        found = f"its ID tokens are signed with {', '.join(map(str, algorithms))} alone"
        yield fault(_CHECK, found, "let it sign them with RS256 or ES256")
    if "S256" not in metadata.get(_METHODS, ["S256"]):
        yield warning(_CHECK, "it does not offer PKCE with S256", "turn that on there")
    offered = metadata.get(_SCOPES, [])
    if unknown := [
        each for each in settings.oidc_scopes.split() if offered and each not in offered
    ]:
        found = f"it does not offer the scope {unknown[0]}"
        yield warning(_CHECK, found, f"see {variable_of('oidc_scopes')}")
