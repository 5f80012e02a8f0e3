"""Perps markets and accounts of any number without a chain, and records as the lens would have answered."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from keeper.margin.perps.synthetix_v3.account import KeeperTerms, MarketTerms
from keeper.margin.perps.synthetix_v3.market import FundingState
from keeper.margin.rounding import WAD
from keeper.protocols.synthetix_v3.lens import InterestState, Perp, PerpsState, Synth
from keeper.protocols.synthetix_v3.records import PerpsAccount, Position
from keeper.protocols.synthetix_v3.valuing import TimeMoved

NOW, DOLLAR = 1_800_000_000, "0x" + "dd" * 20
_FIRST = 100


def state(dice: np.random.Generator, markets: int) -> PerpsState:
    perps = {_FIRST + i: _market(_FIRST + i, int(10 ** dice.uniform(16, 23)), dice) for i in range(markets)}
    keeper = KeeperTerms(2 * WAD, 500 * WAD, WAD // 10, WAD // 2, 0, WAD, WAD // 1_000)
    dollars = Synth(0, DOLLAR, WAD, WAD, 0, 0, 0, 0, 0, 0, True)
    costs = tuple(int(1.3 * n * WAD) + 7 for n in range(markets + 3))
    interest = InterestState(3 * WAD // 100, WAD // 10, NOW - 7_200)
    return PerpsState(
        *("0x", DOLLAR, "0x", "0x"),
        True,
        keeper,
        interest,
        0,
        0,
        costs,
        True,
        MappingProxyType(perps),
        MappingProxyType({0: dollars}),
    )


def _market(identity: int, price: int, dice: np.random.Generator) -> Perp:
    terms = MarketTerms(
        skew_scale=int(10 ** dice.uniform(22, 26)),
        initial_ratio=int(dice.uniform(0.5, 3) * WAD),
        min_initial_ratio=int(dice.uniform(0.005, 0.1) * WAD),
        maintenance_scalar=int(dice.uniform(0.3, 0.8) * WAD),
        min_position_margin=int(dice.uniform(0, 30) * WAD),
        flag_reward_ratio=int(dice.uniform(0.0001, 0.01) * WAD),
        window_max=int(10 ** dice.uniform(19, 23)) if identity % 3 else 0,
    )
    rate, value = int(dice.normal(0, 0.3) * WAD), int(dice.normal(0, 0.01) * price)
    funding = FundingState(int(dice.normal(0, 0.2) * terms.skew_scale), rate, value, NOW - 3_600)
    strategies = ()
    return Perp(
        identity,
        f"M{identity}",
        b"",
        price,
        price,
        funding,
        0,
        9 * WAD,
        terms,
        WAD // 2,
        0,
        0,
        30,
        0,
        "0x",
        0,
        0,
        strategies,
    )


def position(perp: Perp, now: TimeMoved, dice: np.random.Generator) -> Position:
    """Long or short, of any size, opened at any price and time."""
    assert perp.price is not None
    size = int(10 ** dice.uniform(0, 7) * WAD / perp.price * WAD) * (1 if dice.random() < 0.5 else -1)
    entry = int(perp.price * dice.uniform(0.7, 1.4))
    funding = now.funding[perp.id] + int(dice.normal(0, 0.02) * perp.price)
    return Position(perp.id, size or 1, entry, funding, now.interest * int(dice.integers(0, 10)) // 10)


def packed(account: PerpsAccount) -> bytes:
    """As the lens packs it; no order waits."""
    head = bytes([account.flagged]) + account.debt.to_bytes(32, "big")
    parts = [head, bytes([len(account.collaterals), len(account.positions)])]
    for identity, amount in account.collaterals:
        parts.append(identity.to_bytes(16, "big") + amount.to_bytes(32, "big"))
    for each in account.positions:
        numbers = [each.market.to_bytes(16, "big"), each.size.to_bytes(16, "big", signed=True)]
        numbers += [each.price.to_bytes(16, "big"), each.funding.to_bytes(16, "big", signed=True)]
        parts.append(b"".join(numbers) + each.interest.to_bytes(32, "big"))
    return b"".join(parts)
