"""Actions on a local Perp v2, as transactions for `send_batch`. Sizes and quote amounts are scaled 1e18,
collateral is in its own token's units, prices have 8 decimals."""

from __future__ import annotations

from typing import cast

from keeper.localchain.calldata import view
from keeper.localchain.perp_v2_market import CurieDeployment, LocalBase, LocalVaultCollateral
from keeper.localchain.perp_v2_setup import pool_tokens
from keeper.localchain.rpc import LocalRpc
from keeper.localchain.transactions import Tx, call_of, send_batch
from keeper.localchain.uniswap_v3 import sqrt_price

FOREVER = 2**64
OPEN_POSITIONS = 1
"""The action for which a delegate can be approved."""
LIMIT_INTERVAL = 15
"""Seconds after which the limit on how far a trade may move the pool counts from the present tick."""
_GAS = 4_000_000
_MOST = 10**33
_OPEN = "(address,bool,bool,uint256,uint256,uint256,uint160,bytes32)"
_CLOSE = "(address,uint160,uint256,uint256,bytes32)"
_ADD = "(address,uint256,uint256,int24,int24,uint256,uint256,bool,uint256)"
_REMOVE = "(address,int24,int24,uint128,uint256,uint256,uint256)"
_NO_REFERRAL = b"\0" * 32


def mint_and_deposit(
    system: CurieDeployment,
    who: str,
    amount: int,
    collateral: LocalVaultCollateral | None = None,
    to: str | None = None,
) -> list[Tx]:
    """Three transactions: mint dollars or a collateral token, approve and deposit it, for `to` if given."""
    token = _token(system, collateral)
    return [
        call_of(who, token, "mint(address,uint256)", who, amount),
        call_of(who, token, "approve(address,uint256)", system.vault, amount),
        call_of(who, system.vault, "depositFor(address,address,uint256)", to or who, token, amount),
    ]


def withdraw(
    system: CurieDeployment, who: str, amount: int, collateral: LocalVaultCollateral | None = None
) -> Tx:
    """Withdraw collateral to `who`; dollars where none is given."""
    return _to(system.vault, who, "withdraw(address,uint256)", _token(system, collateral), amount)


def open_position(system: CurieDeployment, who: str, market: LocalBase, size: int) -> Tx:
    """Buy (sell, where `size` is negative) exactly `size` of base from the pool."""
    signature = f"openPosition({_OPEN})"
    return _to(system.clearing_house, who, signature, _order(market, size))


def open_position_for(
    system: CurieDeployment, delegate: str, trader: str, market: LocalBase, size: int
) -> Tx:
    """As `open_position`, for a trader who has approved the delegate."""
    signature = f"openPositionFor(address,{_OPEN})"
    return _to(system.clearing_house, delegate, signature, trader, _order(market, size))


def approve_delegate(system: CurieDeployment, who: str, delegate: str) -> Tx:
    """Approve a delegate to open, reduce and close positions for `who`."""
    return _to(system.delegate_approval, who, "approve(address,uint8)", delegate, OPEN_POSITIONS)


def close_position(system: CurieDeployment, who: str, market: LocalBase) -> Tx:
    """Close the position against the pool, or the part of it that the price limit allows."""
    order = (market.token, 0, 0, FOREVER, _NO_REFERRAL)
    return _to(system.clearing_house, who, f"closePosition({_CLOSE})", order)


def add_liquidity(
    system: CurieDeployment, who: str, market: LocalBase, base: int, quote: int, lower: int, upper: int
) -> Tx:
    """Open or enlarge a maker's range (ticks) with at most these amounts, which become its debt."""
    order = (market.token, base, quote, lower, upper, 0, 0, False, FOREVER)
    return _to(system.clearing_house, who, f"addLiquidity({_ADD})", order)


def remove_liquidity(
    system: CurieDeployment, who: str, market: LocalBase, lower: int, upper: int, liquidity: int
) -> Tx:
    """Take liquidity out of a range; what it traded becomes the maker's position."""
    order = (market.token, lower, upper, liquidity, 0, 0, FOREVER)
    return _to(system.clearing_house, who, f"removeLiquidity({_REMOVE})", order)


def cancel_orders(system: CurieDeployment, who: str, maker: str, market: LocalBase) -> Tx:
    """Cancel all ranges of a maker whose margin no longer covers them; anyone may."""
    signature = "cancelAllExcessOrders(address,address)"
    return _to(system.clearing_house, who, signature, maker, market.token)


def liquidate(system: CurieDeployment, who: str, trader: str, market: LocalBase, size: int = 0) -> Tx:
    """Liquidate a trader's position, as much of it as allowed; a smaller signed size if one is given."""
    signature = "liquidate(address,address,int256)"
    return _to(system.clearing_house, who, signature, trader, market.token, size)


def liquidate_collateral(
    system: CurieDeployment, who: str, trader: str, collateral: LocalVaultCollateral, dollars: int
) -> list[Tx]:
    """Three transactions: mint and approve dollars, and buy a trader's collateral with all of them."""
    signature = "liquidateCollateral(address,address,uint256,bool)"
    return [
        call_of(who, system.usd, "mint(address,uint256)", who, dollars),
        call_of(who, system.usd, "approve(address,uint256)", system.vault, dollars),
        _to(system.vault, who, signature, trader, collateral.token, dollars, True),
    ]


def set_index(system: CurieDeployment, source: LocalBase | LocalVaultCollateral, price: int) -> Tx:
    """Set the price source's answer. The feed takes only one answer per second."""
    return call_of(system.owner, source.aggregator, "updateAnswer(int256)", price)


def cache_index(system: CurieDeployment, who: str, market: LocalBase) -> Tx:
    """Make the feed store the newest answer, as trades do and Perp's own updater did at every answer.

    An answer that is not stored for longer than the interval falsifies the average: the last stored price is
    subtracted for the time since, until the average is negative and the feed reverts.
    """
    return _to(market.feed, who, "update()")


def pause(system: CurieDeployment, market: LocalBase) -> Tx:
    """Pause a market, at its average index price."""
    return _to(market.token, system.owner, "pause()")


def close_market(system: CurieDeployment, market: LocalBase, price: int) -> Tx:
    """Close a paused market at a price scaled 1e18."""
    return _to(market.token, system.owner, "close(uint256)", price)


def quit_market(system: CurieDeployment, who: str, trader: str, market: LocalBase) -> Tx:
    """Settle a trader's ranges and position in a closed market; anyone may."""
    return _to(system.clearing_house, who, "quitMarket(address,address)", trader, market.token)


def move_pool(rpc: LocalRpc, system: CurieDeployment, market: LocalBase, price: int) -> None:
    """Move the pool to a price (8 decimals) by trades of the mover, in as many time steps as the limit
    requires. The index must be within a tenth of it."""
    while pool_root(rpc, market) != _root(system, market, price):
        rpc.call("evm_increaseTime", hex(LIMIT_INTERVAL))
        send_batch(rpc, [push_pool(rpc, system, market, price)])


def push_pool(rpc: LocalRpc, system: CurieDeployment, market: LocalBase, price: int) -> Tx:
    """One trade of the mover towards a price (8 decimals), as far as the limit allows."""
    present, wanted = pool_root(rpc, market), _root(system, market, price)
    reach = 1.0001 ** ((market.spec.max_ticks - 1) / 2)
    down = wanted < present
    step = max(wanted, int(present / reach)) if down else min(wanted, int(present * reach))
    order = (market.token, down, True, _MOST, 0, FOREVER, step, _NO_REFERRAL)
    return _to(system.clearing_house, system.mover, f"openPosition({_OPEN})", order)


def pool_root(rpc: LocalRpc, market: LocalBase) -> int:
    """The pool's square root price (Q64.96)."""
    return cast(int, view(rpc, market.pool, "slot0()", (), "uint160")[0])


def _root(system: CurieDeployment, market: LocalBase, price: int) -> int:
    return sqrt_price(*pool_tokens(market.token, system.quote, price))


def pass_time(rpc: LocalRpc, seconds: int) -> None:
    """Mine a block that many seconds later."""
    rpc.call("evm_increaseTime", hex(seconds))
    rpc.call("evm_mine")


def _order(market: LocalBase, size: int) -> tuple[object, ...]:
    # Exactly this much base: what goes in where it is sold, what comes out where it is bought.
    sold = size < 0
    return (market.token, sold, sold, abs(size), 0, FOREVER, 0, _NO_REFERRAL)


def _token(system: CurieDeployment, collateral: LocalVaultCollateral | None) -> str:
    return system.usd if collateral is None else collateral.token


def _to(target: str, who: str, signature: str, *arguments: object) -> Tx:
    return {**call_of(who, target, signature, *arguments), "gas": _GAS}
