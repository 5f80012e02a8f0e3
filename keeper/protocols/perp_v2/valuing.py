"""What a trader is worth by the margin library, at the prices of a state and a given second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from keeper.margin.interface import Amount
from keeper.margin.perps.perp_v2 import Position, in_settlement_units, requirement
from keeper.margin.perps.perp_v2_collateral import Cause, Pledge, sale_causes
from keeper.margin.perps.perp_v2_market import PremiumGrowth, funding_payment
from keeper.margin.perps.perp_v2_ranges import (
    MakerRange,
    RangeGrowth,
    maker_position,
    pending_fee,
    range_funding,
    range_growth,
)
from keeper.model.valuation import Valuation, ratio_down
from keeper.protocols.perp_v2.lens import CurieBook, CurieState
from keeper.protocols.perp_v2.records import StoredPosition, StoredRange, Trader
from keeper.venues.uniswap_v3.tick_math import sqrt_ratio_at

_RATIO = 10**6
Growths = Mapping[str, PremiumGrowth]
"""Each market's funding at the time of a valuation, by base token."""


@dataclass(frozen=True, slots=True)
class HeldPosition:
    """A trader in one market, with what its funding and its ranges' fees come to."""

    position: Position
    funding: int
    fees: int


def growths(state: CurieState, timestamp: int) -> Growths:
    return {each.base: each.growth_at(state.max_rate, timestamp) for each in state.markets.values()}


def held(market: CurieBook, raw: StoredPosition, growth: PremiumGrowth) -> HeldPosition:
    pairs = [(_range(each), _grown(market, each, growth)) for each in raw.ranges]
    ranges = [each for each, _ in pairs]
    base = raw.size - sum(each.base_debt for each in ranges)
    own = sum(range_funding(*pair) for pair in pairs)
    return HeldPosition(
        maker_position(raw.size, raw.notional, ranges, market.root, market.price or 0),
        funding_payment(base, growth, raw.settled, own),
        sum(pending_fee(*pair) for pair in pairs),
    )


def _range(raw: StoredRange) -> MakerRange:
    lower, upper = sqrt_ratio_at(raw.lower), sqrt_ratio_at(raw.upper)
    return MakerRange(lower, upper, raw.liquidity, raw.base_debt, raw.quote_debt, raw.settled)


def _grown(market: CurieBook, raw: StoredRange, growth: PremiumGrowth) -> RangeGrowth:
    side = -1 if market.tick < raw.lower else 0 if market.tick < raw.upper else 1
    return range_growth(raw.beyond_lower, raw.beyond_upper, side, growth, market.fees)


def valued(state: CurieState, account: str, raw: Trader, now: Growths) -> Valuation:
    """Equity is the account's value, cut to the settlement token's decimals as the contract does."""
    each = [held(state.markets[p.base], p, now[p.base]) for p in raw.positions]
    funding, fees = sum(one.funding for one in each), sum(one.fees for one in each)
    dollars = raw.balance * 10 ** (18 - state.decimals) + raw.owed + fees - funding
    worth = {token: state.tokens[token].value(amount) for token, amount in raw.tokens}
    weighed = sum(value * state.tokens[token].weight // _RATIO for token, value in worth.items())
    positions = [one.position for one in each]
    found = requirement(positions, dollars + weighed, state.terms)
    pnl, debts = _exactly(found.parts["unrealized_pnl"]), _exactly(found.parts["debt_value"])
    maintenance = _exactly(found.maintenance)
    due = bool(_causes(state, raw, _pledge(weighed, dollars + pnl, positions)))
    unit = 10 ** (18 - state.decimals)
    equity = in_settlement_units(_exactly(found.equity), state.decimals) * unit
    told = parts(raw.owed, pnl, fees, funding, debts)
    return valuation(account, equity, maintenance, debts * state.terms.im_ratio // _RATIO, told, due)


def pledge_of(state: CurieState, raw: Trader, now: Growths) -> tuple[Pledge, tuple[Cause, ...]]:
    """What the trader's collateral stands for, and why it is for sale; no cause where it is not."""
    each = [held(state.markets[p.base], p, now[p.base]) for p in raw.positions]
    dollars = raw.balance * 10 ** (18 - state.decimals) + raw.owed
    dollars += sum(one.fees - one.funding for one in each)
    worth = {token: state.tokens[token].value(amount) for token, amount in raw.tokens}
    weighed = sum(value * state.tokens[token].weight // _RATIO for token, value in worth.items())
    positions = [one.position for one in each]
    pnl = _exactly(requirement(positions, dollars + weighed, state.terms).parts["unrealized_pnl"])
    pledge = _pledge(weighed, dollars + pnl, positions)
    return pledge, _causes(state, raw, pledge)


def _pledge(weighed: int, settlement: int, positions: Sequence[Position]) -> Pledge:
    return Pledge(weighed, settlement, sum(abs(one.value) for one in positions))


def _causes(state: CurieState, raw: Trader, pledge: Pledge) -> tuple[Cause, ...]:
    if not raw.tokens:
        return ()
    return sale_causes(pledge, state.terms.mm_ratio, replace(state.sales, threshold=raw.threshold))


def parts(owed: int, unrealized: int, fees: int, funding: int, debts: int) -> dict[str, int]:
    """The parts of a valuation by their names."""
    return {"owed_profit": owed, "unrealized": unrealized, "fees": fees, "funding": funding, "debt": debts}


def valuation(
    account: str, equity: int, maintenance: int, initial: int, parts: Mapping[str, int], due: bool
) -> Valuation:
    """`due`: the vault lets the trader's collateral be bought for its debt."""
    health = ratio_down(equity, maintenance)
    liquidatable = equity < maintenance or due
    return Valuation(account, equity, maintenance, equity, liquidatable, initial, health, parts)


def _exactly(amount: Amount) -> int:
    assert isinstance(amount, int), "this model counts in integers"
    return amount
