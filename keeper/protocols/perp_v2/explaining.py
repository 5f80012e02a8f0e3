"""A trader for people: collaterals and positions, each with the prices at which it breaks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from keeper.margin.rounding import WAD
from keeper.model.bisection import edge
from keeper.model.valuation import AssetLine, PositionLine
from keeper.protocols.perp_v2.lens import CurieState
from keeper.protocols.perp_v2.records import Trader
from keeper.protocols.perp_v2.valuing import growths, held, valued

FORMULA = "Perp v2: (collateral + profit − funding) ÷ (positions' value × maintenance ratio)"
_RATIO = 10**6
# No price is looked for above so many times the present one.
_HIGHEST_FACTOR = 100


def collaterals(state: CurieState, raw: Trader, symbols: Mapping[str, str]) -> list[AssetLine]:
    """The settlement token, and each other collateral with what of its value counts (basis points)."""
    dollar = state.settlement.lower()
    worth = raw.balance * 10 ** (18 - state.decimals)
    owes = max(-worth, 0)
    lines = [
        AssetLine(
            dollar,
            symbols.get(dollar, dollar),
            state.decimals,
            WAD,
            supplied=max(raw.balance, 0),
            collateral=max(worth, 0),
            threshold=10_000,
            owed=max(-raw.balance, 0),
            debt=owes,
        )
    ]
    for token, amount in raw.tokens:
        each = state.tokens[token]
        price = (each.price or 0) * 10 ** (18 - each.price_decimals)
        lines.append(
            AssetLine(
                token,
                symbols.get(token, token),
                each.decimals,
                price,
                supplied=amount,
                collateral=each.value(amount),
                threshold=each.weight // 100,
            )
        )
    return lines


def positions(state: CurieState, account: str, raw: Trader, timestamp: int) -> Iterator[PositionLine]:
    """Entry is what the open notional comes to a unit; a maker's ranges count at what they hold now."""
    now = growths(state, timestamp)
    for each in raw.positions:
        market = state.markets[each.base]
        one = held(market, each, now[each.base])
        size, value = one.position.size, one.position.value
        below, above = _breaks(state, account, raw, each.base, timestamp)
        yield PositionLine(
            each.base,
            market.symbol,
            size,
            abs(one.position.quote) * WAD // abs(size) if size else 0,
            market.price or 0,
            value + one.position.quote,
            -one.funding,
            abs(value) * state.terms.im_ratio // _RATIO,
            abs(value) * state.terms.mm_ratio // _RATIO,
            below,
            above,
        )


def _breaks(
    state: CurieState, account: str, raw: Trader, base: str, timestamp: int
) -> tuple[int | None, int | None]:
    """The nearest marks of one market below and above the present one at which the account breaks."""
    market = state.markets[base]
    if market.price is None:
        return None, None

    def holds(price: int) -> bool:
        markets = MappingProxyType({**state.markets, base: replace(market, price=price)})
        moved = replace(state, markets=markets)
        return not valued(moved, account, raw, growths(moved, timestamp)).liquidatable

    if not holds(market.price):
        return None, None
    highest = market.price * _HIGHEST_FACTOR
    below = None if holds(0) else edge(holds, market.price, 0) - 1
    above = None if holds(highest) else edge(holds, market.price, highest) + 1
    return below, above
