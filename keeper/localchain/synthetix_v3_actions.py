"""Actions on a local Synthetix v3, as transactions for `send_batch`. Amounts and sizes are scaled 1e18."""

from __future__ import annotations

from collections.abc import Sequence

from keeper.chain.calldata import ZERO_ADDRESS
from keeper.localchain.calldata import calldata, view
from keeper.localchain.rpc import LocalRpc
from keeper.localchain.signed_pyth import BENCHMARK, FEE, LATEST, answer, signed_update
from keeper.localchain.synthetix_v3_market import (
    USD_ID,
    LocalFeed,
    LocalPerp,
    LocalSynth,
    SynthetixDeployment,
)
from keeper.localchain.synthetix_v3_setup import name32
from keeper.localchain.transactions import Tx, call_of

MAX = 2**256 - 1
MODIFY_COLLATERAL = "PERPS_MODIFY_COLLATERAL"
COMMIT_ORDER = "PERPS_COMMIT_ASYNC_ORDER"
ADMIN = "ADMIN"
_GAS = 8_000_000
_ORDER = "(uint128,uint128,int128,uint128,uint256,bytes32,address)"


def create_account(system: SynthetixDeployment, who: str, account: int) -> Tx:
    """Create an account of this number, which must be below 2**127."""
    return _to(system, who, "createAccount(uint128)", account)


def transfer_account(system: SynthetixDeployment, who: str, to: str, account: int) -> Tx:
    """Transfer an account; every permission granted for it ends."""
    return call_of(who, system.account_token, "transferFrom(address,address,uint256)", who, to, account)


def mint(system: SynthetixDeployment, to: str, amount: int, synth: LocalSynth | None = None) -> Tx:
    """Mint dollars, or synths, as the core and the spot market do."""
    token = system.usd if synth is None else synth.token
    maker = system.core if synth is None else system.spot
    return call_of(maker, token, "mint(address,uint256)", to, amount)


def approve(system: SynthetixDeployment, who: str, synth: LocalSynth | None = None, amount: int = MAX) -> Tx:
    """Approve the perps market to take dollars or synths. Transfers reduce even an unlimited allowance."""
    token = system.usd if synth is None else synth.token
    return call_of(who, token, "approve(address,uint256)", system.perps, amount)


def deposit(
    system: SynthetixDeployment, who: str, account: int, amount: int, synth: LocalSynth | None = None
) -> Tx:
    """Deposit collateral that `who` holds and has approved; dollars where no synth is given."""
    return _modify(system, who, account, synth, amount)


def withdraw(
    system: SynthetixDeployment, who: str, account: int, amount: int, synth: LocalSynth | None = None
) -> Tx:
    """Withdraw collateral to `who`; dollars where no synth is given."""
    return _modify(system, who, account, synth, -amount)


def mint_and_deposit(
    system: SynthetixDeployment, who: str, account: int, amount: int, synth: LocalSynth | None = None
) -> list[Tx]:
    """Three transactions: mint, approve and deposit."""
    return [
        mint(system, who, amount, synth),
        approve(system, who, synth),
        deposit(system, who, account, amount, synth),
    ]


def buy_synth(system: SynthetixDeployment, who: str, synth: LocalSynth, dollars: int) -> list[Tx]:
    """Two transactions: approve dollars to the spot market, and buy synths at its price."""
    signature = "buy(uint128,uint256,uint256,address)"
    return [
        call_of(who, system.usd, "approve(address,uint256)", system.spot, dollars),
        _sent(who, system.spot, calldata(signature, synth.id, dollars, 0, ZERO_ADDRESS)),
    ]


def commit_order(
    system: SynthetixDeployment,
    who: str,
    account: int,
    market: LocalPerp,
    size: int,
    acceptable_price: int | None = None,
) -> Tx:
    """Commit an order that changes the position by `size`, without a price limit if none is given. It settles
    after the market's delay, at the price of a time after the commitment (`price_time`)."""
    limit = acceptable_price if acceptable_price is not None else (MAX if size > 0 else 0)
    order = (market.id, account, size, 0, limit, name32(""), ZERO_ADDRESS)
    return _to(system, who, f"commitOrder({_ORDER})", order)


def price_time(rpc: LocalRpc, system: SynthetixDeployment, account: int, market: LocalPerp) -> int:
    """The Unix time at whose price the account's order settles."""
    parts = (rpc, system.perps, "getOrder(uint128)", (account,))
    return int(str(view(*parts, "uint256")[0])) + market.price_delay


def bring_benchmark(
    system: SynthetixDeployment, who: str, feed: LocalFeed, price: int, time: int, *updates: bytes
) -> Tx:
    """Bring the price (8 decimals) at a time, for the orders that wait for it; or the given signed
    `updates`."""
    signed = list(updates) or [signed_update(feed.price_id, price, time)]
    return _fulfil(system, who, feed, BENCHMARK, time, signed)


def bring_and_settle(
    rpc: LocalRpc, system: SynthetixDeployment, who: str, account: int, market: LocalPerp, price: int
) -> list[Tx]:
    """Two transactions: bring the price (8 decimals) that the account's order waits for, and settle it."""
    time = price_time(rpc, system, account, market)
    return [bring_benchmark(system, who, market.feed, price, time), settle(system, who, account)]


def settle(system: SynthetixDeployment, who: str, account: int) -> Tx:
    """Settle the account's order; its price must have been brought."""
    return _to(system, who, "settleOrder(uint128)", account)


def cancel(system: SynthetixDeployment, who: str, account: int) -> Tx:
    """Cancel the account's order; its price must have been brought before and be beyond its limit."""
    return _to(system, who, "cancelOrder(uint128)", account)


def liquidate(system: SynthetixDeployment, who: str, account: int) -> Tx:
    """Flag the account if it is not yet flagged, and liquidate as much as the windows allow."""
    return _to(system, who, "liquidate(uint128)", account)


def liquidate_flagged(system: SynthetixDeployment, who: str, most: int) -> Tx:
    """Liquidate at most `most` of the flagged accounts, from the first on."""
    return _to(system, who, "liquidateFlagged(uint256)", most)


def liquidate_flagged_accounts(system: SynthetixDeployment, who: str, accounts: Sequence[int]) -> Tx:
    """Liquidate those of these accounts that are flagged."""
    return _to(system, who, "liquidateFlaggedAccounts(uint128[])", list(accounts))


def liquidate_margin_only(system: SynthetixDeployment, who: str, account: int) -> Tx:
    """Seize the collateral of an account without positions, where it no longer covers the debt."""
    return _to(system, who, "liquidateMarginOnly(uint128)", account)


def pay_debt(system: SynthetixDeployment, who: str, account: int, amount: int) -> Tx:
    """Pay an account's debt with approved dollars of `who`, who needs no permission."""
    return _to(system, who, "payDebt(uint128,uint256)", account, amount)


def grant(system: SynthetixDeployment, who: str, account: int, permission: str, user: str) -> Tx:
    """Grant `user` one permission for an account."""
    return _to(system, who, "grantPermission(uint128,bytes32,address)", account, name32(permission), user)


def revoke(system: SynthetixDeployment, who: str, account: int, permission: str, user: str) -> Tx:
    """Revoke a permission."""
    return _to(system, who, "revokePermission(uint128,bytes32,address)", account, name32(permission), user)


def set_price(system: SynthetixDeployment, symbol: str, price: int, published: int | None = None) -> Tx:
    """Set a feed's price (8 decimals). For Pyth, give its publish time, later than that of the last."""
    feed = system.feeds[symbol]
    if feed.aggregator is not None:
        return call_of(system.owner, feed.aggregator, "updateAnswer(int256)", price)
    assert published is not None, f"{symbol} is a price of Pyth: say when it was published"
    data = calldata("updatePriceFeeds(bytes[])", [signed_update(feed.price_id, price, published)])
    return {"from": system.owner, "to": system.pyth, "data": data, "value": FEE}


def bring_latest(
    system: SynthetixDeployment, who: str, feed: LocalFeed, price: int, published: int, age: int
) -> Tx:
    """Bring a price of Pyth as a reverted view requests it: no older than `age` seconds."""
    return _fulfil(system, who, feed, LATEST, age, [signed_update(feed.price_id, price, published)])


def set_costs(system: SynthetixDeployment, settle: int, flag: int, liquidate: int) -> Tx:
    """Set a keeper's costs in dollars (1e18), where the system has `CostsByKind`."""
    arguments = (settle, flag, liquidate)
    return call_of(system.owner, system.cost_source, "setCosts(uint256,uint256,uint256)", *arguments)


def set_open(system: SynthetixDeployment, is_open: bool, feature: str = "perpsSystem") -> Tx:
    """Open or close a feature to everyone. With `perpsSystem` closed, the market settles and liquidates
    nothing, though its views answer."""
    signature = "setFeatureFlagDenyAll(bytes32,bool)"
    return _to(system, system.owner, signature, name32(feature), not is_open)


def set_market_size(system: SynthetixDeployment, market: LocalPerp, most: int) -> Tx:
    """Set the most size that one side may hold. At 0, positions can only be reduced."""
    return _to(system, system.owner, "setMaxMarketSize(uint128,uint256)", market.id, most)


def set_settlement(system: SynthetixDeployment, market: LocalPerp, enabled: bool) -> Tx:
    """Enable or disable the market's settlement strategy: without it, orders can be neither committed,
    settled nor cancelled."""
    signature = "setSettlementStrategyEnabled(uint128,uint256,bool)"
    return _to(system, system.owner, signature, market.id, 0, enabled)


def set_credit(system: SynthetixDeployment, credit: int) -> Tx:
    """Set the perps market's credit from its liquidity providers, in dollars."""
    signature = "setCredit(uint128,int256)"
    return call_of(system.owner, system.core, signature, system.perps_id, credit)


def _modify(system: SynthetixDeployment, who: str, account: int, synth: LocalSynth | None, change: int) -> Tx:
    identity = USD_ID if synth is None else synth.id
    return _to(system, who, "modifyCollateral(uint128,uint128,int256)", account, identity, change)


def _fulfil(
    system: SynthetixDeployment, who: str, feed: LocalFeed, kind: int, time: int, updates: list[bytes]
) -> Tx:
    data = calldata("fulfillOracleQuery(bytes)", answer(kind, time, feed.price_id, updates))
    return {"from": who, "to": system.wrapper, "data": data, "value": FEE * len(updates)}


def _to(system: SynthetixDeployment, who: str, signature: str, *arguments: object) -> Tx:
    return _sent(who, system.perps, calldata(signature, *arguments))


def _sent(who: str, to: str, data: str) -> Tx:
    return {"from": who, "to": to, "data": data, "gas": _GAS}
