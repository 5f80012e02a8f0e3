"""Liquidations, from exact outcomes to complete plans."""

from __future__ import annotations

from collections.abc import Mapping

from keeper.margin.lending.aave import health, liquidation
from keeper.margin.lending.aave.fixed import mul_div_ceil
from keeper.margin.lending.aave.health import AccruedMarket
from keeper.margin.lending.aave.liquidation import Liquidation
from keeper.margin.lending.aave.rules import Rules
from keeper.margin.lending.aave.state import AccountState, MarketState
from keeper.model.blocked import Blocked
from keeper.model.format import format_amount
from keeper.model.plan import Plan, Spend, Trade
from keeper.model.purse import Purse
from keeper.protocols.aave_v3 import calls
from keeper.protocols.aave_v3.lens import Sentinel
from keeper.protocols.aave_v3.offering import GRACE, grown
from keeper.protocols.aave_v3.permissions import in_grace, no_pair, pair_opens, sentinel_closed

LIQUIDATION_GAS = 450_000
POSITION_GAS = 12_000
ERRORS = "aave_v3_errors"


def liquidations(
    market: str,
    pool: str,
    state: MarketState,
    rules: Rules,
    account: str,
    raw: AccountState,
    timestamp: int,
    facts: Purse,
    funds: Mapping[str, int],
    sentinel: Sentinel | None = None,
) -> list[Plan] | Blocked:
    """Plans for every pair that funds and the version's rules allow at `timestamp`, best gain first.

    Collateral that the pool cannot pay out is taken as aTokens, to be redeemed when it can.
    """
    now = health.accrue(state, timestamp, rules)
    later = health.accrue(state, timestamp + GRACE, rules)
    present = health.account_data(raw, now).health
    if present >= health.WAD:
        return Blocked("health is back above 1")
    closed = sentinel_closed(sentinel, present, timestamp)
    if closed is not None:
        return closed
    budgets = {i: funds.get(r.asset, 0) for i, r in state.reserves.items()}
    found = [o for o in liquidation.options(raw, now, budgets) if pair_opens(o, timestamp) is None]
    if found:
        return [_liquidation(market, pool, account, raw, each, later, facts, funds) for each in found]
    open_to_anyone = liquidation.options(raw, now)
    if not open_to_anyone:
        return no_pair(raw, state, facts)
    affordable = [o for o in open_to_anyone if pair_opens(o, timestamp) is None]
    if not affordable:
        return in_grace(open_to_anyone, timestamp)
    wanted = ", ".join(sorted({facts.symbol(each.pair.debt.reserve.asset) for each in affordable}))
    return Blocked(f"the signer holds too little of what could be repaid ({wanted})")


def _liquidation(
    market: str,
    pool: str,
    account: str,
    raw: AccountState,
    chosen: Liquidation,
    later: AccruedMarket,
    facts: Purse,
    funds: Mapping[str, int],
) -> Plan:
    pair, result = chosen.pair, chosen.outcome
    collateral, debt = pair.collateral.reserve, pair.debt.reserve
    cover = result.repaid
    if chosen.clears_debt or result.takes_all:
        cover = min(grown(raw, pair, result.repaid, later), funds[debt.asset])
    repaid_base = mul_div_ceil(cover, debt.price, debt.unit)
    dry = result.received > collateral.available_liquidity
    data = calls.liquidation_call(collateral.asset, debt.asset, account, cover, receive_a_token=dry)
    symbol = ("a" if dry else "") + facts.symbol(collateral.asset)
    return Plan(
        market=market,
        account=account,
        kind="liquidate",
        action="liquidate",
        target=pool,
        data="0x" + data.hex(),
        spend=Spend(debt.asset, pool, cover),
        spend_base=repaid_base,
        gain_base=chosen.gain,
        gas=LIQUIDATION_GAS + POSITION_GAS * len(raw.positions),
        summary={
            "repay": f"{format_amount(result.repaid, debt.decimals)} {facts.symbol(debt.asset)}",
            "receive": f"{format_amount(result.received, collateral.decimals)} {symbol}",
        },
        errors=ERRORS,
        redeem=collateral.asset if dry else "",
        trade=_trade(pair, result, 0 if dry else result.received),
    )


def _trade(pair: liquidation.Pair, result: liquidation.Outcome, arriving: int) -> Trade:
    """The same two values whose difference `liquidation.gain` is."""
    collateral, debt = pair.collateral, pair.debt
    return Trade(
        pays=debt.reserve.asset.lower(),
        pays_base=mul_div_ceil(result.repaid, debt.price, debt.unit),
        gets=collateral.reserve.asset.lower(),
        gets_base=result.received * collateral.price // collateral.unit,
        gets_units=arriving,
    )
