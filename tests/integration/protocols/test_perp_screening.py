"""Screening of Perp v2's traders by a real market's state: nobody who can be liquidated is called safe."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from keeper.book.screening.bounds import Screen
from keeper.book.screening.columns import Columns
from keeper.chain import blocks
from keeper.localchain.anvil import ACCOUNTS, Anvil, AnvilOptions
from keeper.localchain.perp_v2 import deploy
from keeper.localchain.perp_v2_market import WAD
from keeper.protocols.perp_v2 import records, screening
from keeper.protocols.perp_v2.lens import CurieState
from keeper.protocols.perp_v2.records import StoredPosition, Trader
from keeper.protocols.perp_v2.valuing import growths, valued
from keeper.service.watching.value import value
from tests.conftest import GENESIS
from tests.support.curie_exchange import COLLATERALS, MARKETS, CurieExchange
from tests.support.keeping import reading

pytestmark = pytest.mark.integration

SOAK = bool(os.environ.get("KEEPER_SOAK"))
TRADERS, TICKS = (40_000, 200) if SOAK else (1_200, 12)
EDGE = (0.0, 1e-13, 1e-9, 1e-3, 0.2)


def packed(raw: Trader) -> bytes:
    """As the lens packs a trader without tokens and ranges."""

    def signed(number: int) -> bytes:
        return number.to_bytes(32, "big", signed=True)

    positions = b"".join(
        bytes.fromhex(each.base[2:])
        + signed(each.size)
        + signed(each.notional)
        + signed(each.settled)
        + b"\0"
        for each in raw.positions
    )
    head = signed(raw.balance) + signed(raw.owed) + raw.threshold.to_bytes(32, "big") + b"\0"
    return head + bytes([len(raw.positions)]) + positions


def crowded(state: CurieState, now: int, dice: np.random.Generator) -> list[Trader]:
    """Long and short, with just what is required, and a little more or less."""
    then, found = growths(state, now), []
    for _ in range(TRADERS):
        held = []
        for base in dice.choice(list(state.markets), int(dice.integers(1, 3)), replace=False):
            market, size = state.markets[base], int(dice.normal() * 10 ** dice.uniform(13, 22))
            notional = -size * (market.price or 0) // WAD + int(dice.normal() * 10**18)
            held.append(
                StoredPosition(str(base), size, notional, int(then[str(base)].premium * dice.normal()))
            )
        raw = Trader(0, int(dice.normal() * 10**16), 0, (), tuple(held))
        worth = valued(state, "a", raw, then)
        apart = float(dice.choice(EDGE)) * float(dice.normal())
        missing = worth.maintenance - worth.equity + int(worth.maintenance * apart)
        found.append(replace(raw, balance=missing // 10**12 + int(dice.integers(-2, 3))))
    return found


def moved(state: CurieState, share: float) -> CurieState:
    """Every mark that much higher, and standing."""
    markets = {
        base: replace(each, price=int((each.price or 0) * (1 + share)), ahead=None)
        for base, each in state.markets.items()
    }
    return replace(state, markets=MappingProxyType(markets))


def test_whoever_can_be_liquidated_is_never_called_safe(tmp_path: Path) -> None:
    dice = np.random.default_rng(8)
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        at = CurieExchange(anvil, deploy(anvil.rpc, MARKETS, COLLATERALS, None, "2.8.4"))
        for number, size in enumerate((20 * WAD, -15 * WAD)):
            at.fund(ACCOUNTS[1 + number], dollars=6_000)
            at.trade(ACCOUNTS[1 + number], at.eth, size)
        at.set_price(at.eth, 1_990)
        at.wait(3_000)
        text = f'protocol = "perp-v2"\naddress = "{at.system.clearing_house}"'
        market = reading(anvil, text, tmp_path)
        value(market, blocks.latest(market.book.pool))
        state, now = market.book.state, blocks.latest(market.book.pool).timestamp
    assert all(each.price for each in state.markets.values())
    traders, known = crowded(state, now, dice), screening.places()
    found = [packed(each) for each in traders]
    assert [records.decode(each) for each in found] == traders
    columns = Columns(lambda some: screening.entries(some, known, state.decimals))
    columns.update(range(len(found)), found)
    screen, safe_ever, due_ever = Screen(columns), 0, 0
    for tick in range(TICKS):
        after = moved(state, float(dice.normal(0, 1e-4)))
        later = now + 12 * tick
        screen.run(screening.weights(after, later, sorted(columns.factors), known))
        safe = set(screen.rows[screen.low >= np.nextafter(1.0, 2.0)].tolist())
        then = growths(after, later)
        due = {i for i, each in enumerate(traders) if valued(after, "a", each, then).liquidatable}
        assert not safe & due
        safe_ever, due_ever = safe_ever + len(safe), due_ever + len(due)
    assert due_ever > 0.2 * TICKS * TRADERS and safe_ever > 0.1 * TICKS * TRADERS


def test_makers_and_those_with_collateral_tokens_are_valued_exactly() -> None:
    plain = Trader(10**9, 0, 0, (), (StoredPosition("0x" + "11" * 20, WAD, -WAD, 0),))
    record = bytearray(packed(plain))
    with_token = records.decode(bytes(record))
    assert with_token == plain
    token = bytes(record[:96]) + b"\1" + bytes(20) + (5).to_bytes(32, "big") + bytes(record[97:])
    owing = packed(Trader(-1, 0, 0))
    found = screening.entries([bytes(record), token, owing], screening.places(), 6)
    assert found.unbounded.tolist() == [False, True, True]
