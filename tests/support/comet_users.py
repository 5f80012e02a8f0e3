"""What else users and governor of a local Comet do, as transactions for `send_batch`."""

from __future__ import annotations

from keeper.localchain.comet_standin import CometStandIn
from keeper.localchain.transactions import Tx, call_of


def transfer(market: CometStandIn, who: str, to: str, symbol: str, amount: int) -> Tx:
    return call_of(
        who, market.comet, "transferAsset(address,address,uint256)", to, market.tokens[symbol], amount
    )


def set_price(market: CometStandIn, symbol: str, price: int) -> Tx:
    """A new answer of the symbol's feed, 8 decimals."""
    return call_of(market.governor, market.feeds[symbol], "updateAnswer(int256)", price)


def pause(market: CometStandIn, *, supply: bool = False, absorb: bool = False, buy: bool = False) -> Tx:
    return call_of(
        market.governor, market.comet, "pause(bool,bool,bool,bool,bool)", supply, False, False, absorb, buy
    )


def mint(market: CometStandIn, who: str, symbol: str, amount: int) -> Tx:
    return call_of(market.governor, market.tokens[symbol], "mint(address,uint256)", who, amount)


def later(market: CometStandIn) -> Tx:
    """It becomes a later version, which can close more."""
    return call_of(market.governor, market.comet, "setLater()")


def close(market: CometStandIn, signature: str, place: int = 0) -> Tx:
    """One of a later version's closings; of the collateral at `place` where it is for one."""
    arguments: list[object] = [place] if "uint24" in signature else []
    arguments += [True] if "bool" in signature else []
    return call_of(market.governor, market.comet, signature, *arguments)


def absorb(market: CometStandIn, who: str, account: str) -> Tx:
    """`who` absorbs an account, and buys nothing."""
    return call_of(who, market.comet, "absorb(address,address[])", who, [account])
