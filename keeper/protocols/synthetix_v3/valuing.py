"""What an account is worth by the margin library, at the prices of a state and a given second."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from keeper.margin.interface import Amount
from keeper.margin.perps.synthetix_v3.account import KeeperTerms
from keeper.margin.perps.synthetix_v3.cross_margin import (
    Collateral,
    CrossAccount,
    OpenPosition,
    is_margin_liquidatable,
    requirement,
)
from keeper.model.valuation import Valuation, ratio_down
from keeper.protocols.synthetix_v3.lens import Perp, PerpsState, Synth
from keeper.protocols.synthetix_v3.records import PerpsAccount, Position


@dataclass(frozen=True, slots=True)
class TimeMoved:
    """What time alone moves: each market's funding a unit, and interest a dollar of locked notional."""

    funding: dict[int, int]
    interest: int


def accrued(state: PerpsState, timestamp: int) -> TimeMoved:
    funding = {identity: perp.funding_at(timestamp) for identity, perp in state.perps.items()}
    return TimeMoved(funding, state.interest.at(timestamp))


def cross_account(state: PerpsState, raw: PerpsAccount, now: TimeMoved) -> CrossAccount:
    """As the margin library has it; a price that could not be had counts as 0."""
    return CrossAccount(
        [collateral(state.synths[identity], amount) for identity, amount in raw.collaterals],
        [position(state.perps[each.market], each, now) for each in raw.positions],
        raw.debt,
    )


def collateral(synth: Synth, amount: int) -> Collateral:
    return Collateral(amount, synth.price or 0, synth.skew_scale, synth.scalar, synth.lower, synth.upper)


def position(perp: Perp, held: Position, now: TimeMoved) -> OpenPosition:
    return OpenPosition(
        held.size,
        held.price,
        perp.price or 0,
        perp.terms,
        held.funding,
        now.funding[perp.id],
        held.interest,
        now.interest,
        perp.locked_ratio,
    )


def keeper_terms(state: PerpsState, raw: PerpsAccount) -> KeeperTerms:
    """With what flagging this account costs."""
    return _costing(state.keeper, state.flag_costs[raw.feeds])


@lru_cache(256)
def _costing(keeper: KeeperTerms, flag_cost: int) -> KeeperTerms:
    return replace(keeper, flag_cost=flag_cost)


def valued(state: PerpsState, account: str, raw: PerpsAccount, now: TimeMoved) -> Valuation:
    """Equity is the available margin; maintenance has the liquidation reward in it, as the view's."""
    worth, keeper = cross_account(state, raw, now), keeper_terms(state, raw)
    found = requirement(worth, keeper)
    equity, initial, maintenance, reward, value, pnl = (
        _exactly(each)
        for each in (
            found.equity,
            found.initial,
            found.maintenance,
            found.parts["liquidation_reward"],
            found.parts["collateral"],
            found.parts["pnl"],
        )
    )
    due = raw.flagged or maintenance > equity or is_margin_liquidatable(worth, keeper)
    return valuation(account, equity, initial, maintenance, reward, value, pnl, raw.debt, due)


def _exactly(amount: Amount) -> int:
    assert isinstance(amount, int), "this model counts in integers"
    return amount


def valuation(
    account: str,
    equity: int,
    initial: int,
    maintenance: int,
    reward: int,
    collateral_value: int,
    pnl: int,
    debt: int,
    liquidatable: bool,
) -> Valuation:
    net = collateral_value + pnl - debt
    parts = {
        "collateral": collateral_value,
        "discount": net - equity,
        "pnl": pnl,
        "debt": debt,
        "liquidation_reward": reward,
    }
    health = ratio_down(equity, maintenance)
    return Valuation(account, equity, maintenance, net, liquidatable, initial, health, parts)
