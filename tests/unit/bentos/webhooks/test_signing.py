"""Signatures are those of the Standard Webhooks convention."""

import base64
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from bentos.webhooks.signing import headers, new_secret


def test_secrets_are_random_of_the_length_that_the_convention_asks_for() -> None:
    secrets = {new_secret() for _ in range(50)}

    assert len(secrets) == 50
    assert {len(base64.b64decode(each.removeprefix("whsec_"))) for each in secrets} == {32}


def test_each_secret_verifies_what_both_have_signed_and_no_other_does() -> None:
    old, new = new_secret(), new_secret()
    signed = headers("id", '{"a":1}', [new, old], now=datetime.now(UTC))

    assert Webhook(old).verify('{"a":1}', signed) == Webhook(new).verify('{"a":1}', signed)
    for secret, body, changes in (
        (new_secret(), '{"a":1}', {}),
        (new, '{"a":2}', {}),
        (new, '{"a":1}', {"webhook-id": "other"}),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, signed | changes)


def test_signature_is_the_one_of_the_specification_s_example() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    now = datetime.fromtimestamp(1614265330, UTC)
    made = headers("msg_p5jXN8AQM9LWM0D4loKWxJek", '{"test": 2432232314}', [secret], now=now)

    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert made["webhook-timestamp"] == "1614265330"
