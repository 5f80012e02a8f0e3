"""The room below a supply cap, against the pool's own refusal one unit above it."""

from __future__ import annotations

import pytest
from eth_utils.address import to_checksum_address

from keeper.execution.rehearsal import simulate
from keeper.localchain import aave_actions as act
from keeper.localchain.transactions import send_batch
from keeper.margin.lending.aave.caps import supply_room
from tests.support import random_market as rnd
from tests.support.aave_permissions import set_supply_cap
from tests.support.crowd import Crowd

pytestmark = pytest.mark.integration

# Whole tokens: what the pool's 36 bits hold.
LARGEST_CAP = 2**36 - 1


def accepted(crowd: Crowd, symbol: str, amount: int, timestamp: int) -> bool:
    """Whether the pool would take this supply in a block at `timestamp`."""
    reserve = crowd.market.reserves[symbol]
    txs = [
        act.mint(crowd.market, reserve, rnd.LENDER, amount),
        act.approve(crowd.market, reserve, rnd.LENDER, amount),
        act.supply(crowd.market, reserve, rnd.LENDER, amount),
    ]
    calls = [
        {"from": to_checksum_address(tx["from"]), "to": str(tx.get("to")), "data": tx["data"]} for tx in txs
    ]
    minted, approved, supplied = simulate(crowd.pool, calls, timestamp)
    assert int(minted["status"], 16) == int(approved["status"], 16) == 1
    return int(supplied["status"], 16) == 1


def test_exactly_the_room_is_accepted_and_one_unit_more_is_not(crowd: Crowd) -> None:
    """Random reserves, factors, times; in 3.0.2 with stable debt, whose interest the treasury shares."""
    for round_ in range(4):
        crowd.later(crowd.dice.randint(1, 90 * 86_400))
        txs = []
        for reserve in crowd.state.reserves.values():
            symbol = next(s for s, r in crowd.market.reserves.items() if r.asset.lower() == reserve.asset)
            supplied = crowd.rules.supplied(reserve.scaled_supply, reserve.liquidity_index)
            whole = supplied * 5 // 4 // reserve.unit + crowd.dice.randint(1, 1000)
            if whole <= LARGEST_CAP:
                txs.append(set_supply_cap(crowd.market, crowd.market.reserves[symbol], whole))
        send_batch(crowd.anvil.rpc, txs, crowd.market.errors)
        head = crowd.look()
        timestamp = head.timestamp + crowd.dice.randint(1, 30 * 86_400)
        market = crowd.at(timestamp)
        by_asset = {r.asset.lower(): symbol for symbol, r in crowd.market.reserves.items()}
        for accrued in market.reserves.values():
            room = supply_room(accrued, market)
            symbol = by_asset[accrued.reserve.asset]
            if room is None:
                assert not accrued.reserve.supply_cap
                continue
            assert room > 0, (round_, symbol)
            assert accepted(crowd, symbol, room, timestamp), (round_, symbol, room)
            assert not accepted(crowd, symbol, room + 1, timestamp), (round_, symbol, room)


def test_a_reserve_over_its_cap_has_no_room_and_one_without_a_cap_no_limit(crowd: Crowd) -> None:
    symbol = next(iter(crowd.market.reserves))
    send_batch(crowd.anvil.rpc, [set_supply_cap(crowd.market, crowd.market.reserves[symbol], 1)])
    timestamp = crowd.look().timestamp + 12
    market = crowd.at(timestamp)
    first, *others = market.reserves.values()
    assert supply_room(first, market) == 0
    assert not accepted(crowd, symbol, first.unit, timestamp)
    assert {supply_room(other, market) for other in others} == {None}
