"""Liquidations with the signer's own money, out of the offers that a protocol makes to anyone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keeper.model.offer import Asset, Offer, Quote
from keeper.model.plan import Blocked, kept_of
from keeper.protocols import inventory

pytestmark = pytest.mark.unit

DOLLAR, COIN = Asset("0xd0", "USD", 3, 2), Asset("0xc0", "COIN", 7, 1)


def deal(size: int) -> Quote | None:
    """The whole of 100 owes a little more until it is included."""
    if not 0 < size <= 100:
        return None
    allowance = 103 if size == 100 else size
    return Quote(size, allowance, size // 4, (b"%d" % allowance,), lambda most: b"%d" % most)


OFFER = Offer(DOLLAR, COIN, "0xm", (100,), deal, 50)


@pytest.mark.parametrize(("has", "spent"), [(200, 103), (103, 103), (102, 102), (100, 100), (60, 60), (1, 1)])
def test_as_much_is_taken_as_there_is_money_for(has: int, spent: int) -> None:
    [plan] = inventory.plans("m", "a", [OFFER], {DOLLAR.token: has})
    assert plan.spend.amount == spent and bytes.fromhex(plan.data[2:]) == b"%d" % spent
    assert plan.spend_base == -(-spent * 3 // 2), "what is spent is rounded up"


def test_without_money_it_is_said_what_is_missing() -> None:
    found = inventory.liquidations("m", "a", [OFFER], {COIN.token: 10**9})
    assert isinstance(found, Blocked) and "USD" in found.reason
    blocked = Blocked("paused")
    assert inventory.liquidations("m", "a", blocked, {}) is blocked


def test_what_only_the_contract_can_take_is_left_to_it() -> None:
    several = replace(OFFER, deal=lambda size: replace(deal(size) or Quote(1, 1, 1, ()), calls=(b"", b"")))
    for offer in (replace(OFFER, taker="contract"), several):
        assert inventory.plans("m", "a", [offer], {DOLLAR.token: 200}) == []


def test_claims_name_what_they_are_claims_on_and_bring_nothing_yet() -> None:
    [plan] = inventory.plans(
        "m", "a", [replace(OFFER, taker="signer", redeem=COIN.token)], {DOLLAR.token: 200}
    )
    assert plan.redeem == COIN.token and plan.trade is not None and plan.trade.gets_units == 0


def test_what_is_bought_later_keeps_its_money_and_is_done_once() -> None:
    later = replace(OFFER, taker="signer", later="absorb", gas_of_signer=70)
    dearer = replace(later, gets=replace(COIN, price=9))
    found = inventory.plans("m", "a", [later, dearer], {DOLLAR.token: 200, kept_of(DOLLAR.token): 150})
    [plan] = found
    assert (plan.action, plan.kept, plan.spend.amount, plan.gas) == ("absorb", 50, 0, 70)
    assert plan.gain_base == 12 * 9 - 75
    none = inventory.liquidations("m", "a", [later], {DOLLAR.token: 10, kept_of(DOLLAR.token): 10})
    assert isinstance(none, Blocked) and "contracts deploy" in none.reason
