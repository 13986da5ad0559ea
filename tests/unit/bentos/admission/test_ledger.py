"""The ledger keeps clients' usage for seconds, and for a bounded number of clients."""

import pytest

from bentos.admission import ledger
from bentos.admission.ledger import ACTIVE_SECONDS, Ledger, charge, serving
from tests.unit.bentos.admission.clock import Clock


def test_usage_of_a_client_decays_over_time() -> None:
    clock = Clock()
    account = Ledger(clock).account("x")
    account.charge(1.0)
    account.charge(1.0)

    assert account.usage == pytest.approx(2.0)
    clock.now += 60
    assert account.usage < 0.01


def test_model_time_is_charged_to_the_client_that_used_it() -> None:
    kept = Ledger(Clock())
    many, one = kept.account("many"), kept.account("one")

    with serving(many):
        charge("classifier", 0.3, images=3)
    with serving(one):
        charge("classifier", 0.1, images=1)

    assert (many.usage, one.usage) == (pytest.approx(0.3), pytest.approx(0.1))
    assert kept.model_seconds == pytest.approx(0.1)


def test_client_is_alone_unless_another_client_was_active_recently() -> None:
    clock = Clock()
    kept = Ledger(clock)
    account = kept.account("x")
    kept.activate(account)
    assert account.alone

    kept.activate(kept.account("other"))
    kept.activate(account)
    assert not account.alone

    clock.now += ACTIVE_SECONDS + 1
    assert account.alone


def test_client_without_images_does_not_count_as_active() -> None:
    kept = Ledger(Clock())
    account = kept.account("x")

    kept.look_up("other")
    kept.account("another")

    assert account.alone
    assert len(kept._accounts) == 2


def test_ledger_memory_is_bounded_with_many_spoofed_addresses() -> None:
    kept = Ledger(Clock())
    good = kept.account("good")
    good.images = 1
    for i in range(3 * ledger._MAX_ACCOUNTS):
        kept.activate(kept.account(f"spoofed {i}"))

    assert len(kept._accounts) <= ledger._MAX_ACCOUNTS
    assert len(kept._active) <= ledger._MAX_ACCOUNTS
    assert kept.account("good") is good
