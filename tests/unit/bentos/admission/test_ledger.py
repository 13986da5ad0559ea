"""What callers use is remembered for seconds, and of a bounded number of callers."""

import pytest

from bentos.admission import ledger
from bentos.admission.ledger import ACTIVE_SECONDS, Ledger, charge, serving
from tests.unit.bentos.admission.clock import Clock


def test_usage_decays() -> None:
    clock = Clock()
    account = Ledger(clock).account("x")
    account.charge(1.0)
    account.charge(1.0)

    assert account.usage == pytest.approx(2.0)
    clock.now += 60
    assert account.usage < 0.01


def test_time_of_a_model_is_its_callers() -> None:
    kept = Ledger(Clock())
    many, one = kept.account("many"), kept.account("one")

    with serving(many):
        charge("classifier", 0.3, images=3)
    with serving(one):
        charge("classifier", 0.1, images=1)

    assert (many.usage, one.usage) == (pytest.approx(0.3), pytest.approx(0.1))
    assert kept.model_seconds == pytest.approx(0.1)


def test_caller_is_alone_until_another_comes_and_soon_after() -> None:
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


def test_who_has_nothing_analysed_is_nobody_to_share_with() -> None:
    kept = Ledger(Clock())
    account = kept.account("x")

    kept.look_up("other")
    kept.account("another")

    assert account.alone
    assert len(kept._accounts) == 2


def test_made_up_addresses_take_no_more_memory_than_is_bounded() -> None:
    kept = Ledger(Clock())
    good = kept.account("good")
    good.images = 1
    for i in range(3 * ledger._MAX_ACCOUNTS):
        kept.activate(kept.account(f"spoofed {i}"))

    assert len(kept._accounts) <= ledger._MAX_ACCOUNTS
    assert len(kept._active) <= ledger._MAX_ACCOUNTS
    assert kept.account("good") is good
