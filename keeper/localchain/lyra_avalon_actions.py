"""Actions on a local Lyra Avalon, as transactions for `send_batch`. Amounts and prices are scaled 1e18; a
position is named by its number."""

from __future__ import annotations

from collections.abc import Sequence

from keeper.localchain.lyra_avalon_market import AvalonDeployment, AvalonOption, LocalBoard, LocalStrike
from keeper.localchain.lyra_avalon_parameters import UNLIMITED
from keeper.localchain.lyra_avalon_setup import base_key, key
from keeper.localchain.rpc import LocalRpc
from keeper.localchain.transactions import Tx, call_of

NEW = 0
"""In place of a position's number: open a new one."""
_TRADE = "(uint256,uint256,uint256,uint8,uint256,uint256,uint256,uint256)"


def mint_and_approve(system: AvalonDeployment, who: str, quote: int = 0, base: int = 0) -> list[Tx]:
    """Mint dollars and tokens to `who` and approve the market for them without limit."""
    steps = []
    for token, amount in ((system.quote, quote), (system.base, base)):
        if amount:
            steps.append(call_of(system.owner, token, "mint(address,uint256)", who, amount))
            steps.append(call_of(who, token, "approve(address,uint256)", system.market, UNLIMITED))
    return steps


def open_position(
    system: AvalonDeployment,
    who: str,
    strike: LocalStrike,
    kind: AvalonOption,
    amount: int,
    collateral: int = 0,
    position: int = NEW,
) -> Tx:
    """Buy or sell options, in a new position or more of one. `collateral` is what a short must hold
    afterwards: dollars (the premium included) or tokens. With amount 0 only the collateral changes."""
    return _trade(system, who, "openPosition", strike, kind, amount, collateral, position)


def close_position(
    system: AvalonDeployment,
    who: str,
    strike: LocalStrike,
    kind: AvalonOption,
    position: int,
    amount: int,
    collateral: int = 0,
) -> Tx:
    """Close a part of a position, leaving `collateral`, or all of it, which leaves none."""
    return _trade(system, who, "closePosition", strike, kind, amount, collateral, position)


def force_close(
    system: AvalonDeployment,
    who: str,
    strike: LocalStrike,
    kind: AvalonOption,
    position: int,
    amount: int,
    collateral: int = 0,
) -> Tx:
    """Close at a worse price where trading has ended: far from the money or near to expiry."""
    return _trade(system, who, "forceClosePosition", strike, kind, amount, collateral, position)


def add_collateral(system: AvalonDeployment, who: str, position: int, amount: int) -> Tx:
    """Add collateral to anyone's short, in the asset that it holds."""
    return call_of(who, system.market, "addCollateral(uint256,uint256)", position, amount)


def transfer_position(
    system: AvalonDeployment, owner: str, to: str, position: int, by: str | None = None
) -> Tx:
    """Transfer a position with its collateral; `by`: the approved sender, by default the owner."""
    signature = "transferFrom(address,address,uint256)"
    return call_of(by or owner, system.token, signature, owner, to, position)


def approve_position(system: AvalonDeployment, owner: str, whom: str, position: int) -> Tx:
    """Approve `whom` to transfer, split or merge a position."""
    return call_of(owner, system.token, "approve(address,uint256)", whom, position)


def split_position(
    system: AvalonDeployment, who: str, position: int, amount: int, collateral: int, to: str
) -> Tx:
    """Split a part of a position, with a part of its collateral, into a new one that `to` gets."""
    signature = "split(uint256,uint256,uint256,address)"
    return call_of(who, system.token, signature, position, amount, collateral, to)


def merge_positions(system: AvalonDeployment, who: str, positions: Sequence[int]) -> Tx:
    """Merge positions of one kind and strike into the first of them."""
    return call_of(who, system.token, "merge(uint256[])", list(positions))


def liquidate_position(
    system: AvalonDeployment, who: str, position: int, beneficiary: str | None = None
) -> Tx:
    """Liquidate a whole short; the fee goes to the beneficiary, by default `who`."""
    signature = "liquidatePosition(uint256,address)"
    return call_of(who, system.market, signature, position, beneficiary or who)


def update_greeks(system: AvalonDeployment, who: str, board: LocalBoard) -> Tx:
    """Update a board's cached Greeks; anyone may, before its expiry."""
    return call_of(who, system.greek_cache, "updateBoardCachedGreeks(uint256)", board.id)


def settle_board(system: AvalonDeployment, who: str, board: LocalBoard) -> Tx:
    """Settle an expired board at the spot of the including block; anyone may."""
    return call_of(who, system.market, "settleExpiredBoard(uint256)", board.id)


def settle_options(system: AvalonDeployment, who: str, positions: Sequence[int]) -> Tx:
    """Pay out positions of settled boards to their owners; anyone may."""
    return call_of(who, system.short_collateral, "settleOptions(uint256[])", list(positions))


def set_spot(system: AvalonDeployment, price: int, invalid: bool = False) -> Tx:
    """Set the token's rate in dollars; `invalid`: a rate that stops trading."""
    signature = "setRateAndInvalid(bytes32,uint256,bool)"
    return call_of(system.owner, system.rates, signature, key(base_key(system.symbol)), price, invalid)


def stop_exchange(system: AvalonDeployment, stopped: bool = True) -> Tx:
    """Make Synthetix return nothing for exchanges, as for a suspended synth."""
    return call_of(system.owner, system.synthetix, "setReturnZero(bool)", stopped)


def freeze_board(system: AvalonDeployment, board: LocalBoard, frozen: bool = True) -> Tx:
    """Stop all trading and liquidation on a board."""
    return call_of(system.owner, system.market, "setBoardFrozen(uint256,bool)", board.id, frozen)


def force_settle_board(system: AvalonDeployment, board: LocalBoard) -> Tx:
    """Settle a frozen board before its expiry."""
    return call_of(system.owner, system.market, "forceSettleBoard(uint256)", board.id)


def pause_market(system: AvalonDeployment, paused: bool = True) -> Tx:
    """Stop everything that needs a price in this market."""
    return call_of(system.owner, system.adapter, "setMarketPaused(address,bool)", system.market, paused)


def pause_all(system: AvalonDeployment, paused: bool = True) -> Tx:
    """Stop everything in all markets."""
    return call_of(system.owner, system.adapter, "setGlobalPaused(bool)", paused)


def pass_time(rpc: LocalRpc, seconds: int) -> None:
    """Mine a block that many seconds later."""
    rpc.call("evm_increaseTime", hex(seconds))
    rpc.call("evm_mine")


def _trade(
    system: AvalonDeployment,
    who: str,
    function: str,
    strike: LocalStrike,
    kind: AvalonOption,
    amount: int,
    collateral: int,
    position: int,
) -> Tx:
    trade = (strike.id, position, 1, int(kind), amount, collateral, 0, UNLIMITED)
    return call_of(who, system.market, f"{function}({_TRADE})", trade)
