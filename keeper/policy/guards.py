"""Each action's guard: profit at a market price, or a price that something confirms. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from keeper.model.plan import Blocked, Plan
from keeper.oracles.guards import Judgement

Verdicts = Mapping[str, Judgement]
"""Judgements by asset, lower case."""


def closed(assets: Iterable[str], verdicts: Verdicts, symbols: Mapping[str, str]) -> str:
    """Why nothing may be done for an account with these assets; empty when something may."""
    return _first(assets, symbols, {a: verdicts[a].closed for a in verdicts})


def may_top_up(assets: Iterable[str], verdicts: Verdicts, symbols: Mapping[str, str]) -> str:
    """Why an owner's money must wait: the first of these prices that nothing confirms; empty when none."""
    return _first(assets, symbols, {a: verdicts[a].hold for a in verdicts})


def at_market(
    found: list[Plan] | Blocked, verdicts: Verdicts, symbols: Mapping[str, str]
) -> list[Plan] | Blocked:
    """The liquidations with the gain they would have at market prices, best first. Those without a market
    price for what they pay or get are left out; if all are, Blocked with the reason."""
    if isinstance(found, Blocked):
        return found
    counted = [_counted(plan, verdicts, symbols) for plan in found]
    plans = [plan for plan in counted if isinstance(plan, Plan)]
    if plans:
        return sorted(plans, key=lambda plan: -plan.gain_base)
    return next(each for each in counted if isinstance(each, Blocked))


def _counted(plan: Plan, verdicts: Verdicts, symbols: Mapping[str, str]) -> Plan | Blocked:
    trade = plan.trade
    if trade is None:
        return plan
    values = []
    for token, base, rounded_up in ((trade.gets, trade.gets_base, 0), (trade.pays, trade.pays_base, 1)):
        verdict = verdicts.get(token)
        if verdict is None or verdict.market_price == verdict.price:
            values.append(base)
            continue
        if verdict.market_price is None or not verdict.price:
            why = "; ".join(fault.detail for fault in verdict.faults) or "its price cannot be read"
            return Blocked(f"{symbols.get(token, token)} has no market price to count with: {why}")
        product = base * verdict.market_price
        values.append(-(-product // verdict.price) if rounded_up else product // verdict.price)
    gets, pays = values
    return replace(plan, gain_base=gets - pays)


def _first(assets: Iterable[str], symbols: Mapping[str, str], reasons: Mapping[str, str]) -> str:
    for asset in sorted(assets):
        if reasons.get(asset):
            return f"{symbols.get(asset, asset)}: {reasons[asset]}"
    return ""
