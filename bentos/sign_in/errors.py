"""Why a sign-in does not succeed.

SignInError
├── ProviderUnavailable   the provider does not answer, or not as a provider does
├── SignInFailed          what came back is not the answer to what was asked
└── SignInRefused         the person may not, or did not want to
"""


class SignInError(Exception):
    """A sign-in that does not succeed; its text has nothing of the person."""


class ProviderUnavailable(SignInError):
    """The provider does not answer, or not as a provider does."""


class SignInFailed(SignInError):
    """What came back is not the answer to what was asked: too late, repeated, or forged."""


class SignInRefused(SignInError):
    """The person has no role that is known here, or did not agree."""
