"""What a pool permits now, why not, and when it opens again."""

from __future__ import annotations

from collections.abc import Iterable

from keeper.margin.lending.aave.liquidation import Liquidation
from keeper.margin.lending.aave.state import AccountState, MarketState, Reserve
from keeper.model.plan import Blocked
from keeper.model.purse import Purse
from keeper.protocols.aave_v3.lens import Sentinel

# Below this health liquidations do not ask the sentinel (MINIMUM_HEALTH_FACTOR_LIQUIDATION_THRESHOLD).
SENTINEL_HEALTH = 95 * 10**16


def supply_closed(reserve: Reserve) -> str:
    """Why nothing can be supplied to a reserve; empty where supplies are open."""
    return repay_closed(reserve) or ("the reserve is frozen" if reserve.frozen else "")


def repay_closed(reserve: Reserve) -> str:
    """Why nothing can be repaid to, or liquidated in, a reserve; freezing and caps do not forbid it."""
    if not reserve.active:
        return "the reserve is inactive"
    return "the reserve is paused" if reserve.paused else ""


def sentinel_closed(sentinel: Sentinel | None, health: int, timestamp: int) -> Blocked | None:
    """Why the price sentinel forbids liquidating an account of this health at `timestamp`; None if it does
    not."""
    if sentinel is None or health < SENTINEL_HEALTH:
        return None
    opens = sentinel_opens(sentinel)
    if sentinel.allowed or (opens is not None and timestamp >= opens):
        return None
    if sentinel.answer is None:
        return Blocked("the price sentinel forbids liquidations: its sequencer feed does not answer")
    if sentinel.answer != 0:
        return Blocked("the price sentinel forbids liquidations: the sequencer is down")
    return Blocked("the price sentinel forbids liquidations after a downtime", retry_at=opens)


def sentinel_opens(sentinel: Sentinel) -> int | None:
    """The first second at which a sentinel that says no will say yes; None while the sequencer is down.

    It counts the grace period from a field of the feed's round: core-v3's from `updatedAt`, Origin's from
    `startedAt`. A pool may keep the sentinel of an older version, so its present answer shows which it is;
    where both would explain a no, the later one is meant.
    """
    if sentinel.answer != 0:
        return None
    return max(sentinel.started_at, sentinel.updated_at) + sentinel.grace_period + 1


def pair_opens(found: Liquidation, timestamp: int) -> int | None:
    """When the grace periods of a pair's two reserves are over, if they are not at `timestamp`."""
    until = max(found.pair.collateral.reserve.grace_until, found.pair.debt.reserve.grace_until)
    return until + 1 if until >= timestamp else None


def in_grace(waiting: Iterable[Liquidation], timestamp: int) -> Blocked:
    """The result where all pairs wait for a grace period: the first to end counts."""
    opens = min(o for each in waiting if (o := pair_opens(each, timestamp)) is not None)
    return Blocked("the reserves are in their liquidation grace period", retry_at=opens)


def no_pair(raw: AccountState, state: MarketState, purse: Purse) -> Blocked:
    """The result where no collateral can be liquidated: names what is closed."""
    if not any(p.scaled_collateral for p in raw.positions if raw.uses_as_collateral(p.reserve_id)):
        return Blocked("no collateral is left to seize: what is owed is bad debt")
    closed = [
        f"{purse.symbol(state.reserves[p.reserve_id].asset)}: {why}"
        for p in raw.positions
        if (why := repay_closed(state.reserves[p.reserve_id]))
    ]
    named = f" ({'; '.join(closed)})" if closed else ""
    return Blocked(f"no pair of collateral and debt can be liquidated{named}")
