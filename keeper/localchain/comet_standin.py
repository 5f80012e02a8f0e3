"""Deploy our stand-in for Comet (`contracts/test/CometStandIn.sol`): no package has Compound v3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keeper.localchain.anvil import ACCOUNTS
from keeper.localchain.deployer import Deployer
from keeper.localchain.rpc import LocalRpc
from keeper.localchain.solc import Compilation, artifacts
from keeper.localchain.tokens import NONE, create_feed, create_zero_first
from keeper.localchain.transactions import Tx, call_of
from keeper.model.money import WAD

YEAR = 365 * 24 * 3600
_SOURCE = Compilation(("test/CometStandIn.sol",))


@dataclass(frozen=True)
class CollateralSpec:
    """A collateral: price with 8 decimals, factors scaled 1e18, cap in whole tokens."""

    symbol: str
    decimals: int
    price: int
    borrow: int
    liquidate: int
    liquidation: int
    cap: int = 10**9


@dataclass(frozen=True)
class CometSpec:
    """A market: base token (price with 8 decimals), its collaterals, store front price factor (1e18), minimum
    borrow and target reserves (base units)."""

    symbol: str
    decimals: int
    price: int
    collaterals: Sequence[CollateralSpec]
    store_front: int = 6 * 10**17
    borrow_min: int = 0
    target_reserves: int = 0


@dataclass(frozen=True)
class CometStandIn:
    """Addresses of one market; tokens and feeds by symbol, those of the base token (`base`) included."""

    comet: str
    base: str
    governor: str
    tokens: Mapping[str, str]
    feeds: Mapping[str, str]


def _curve(kink: int, low: int, high: int, base: int) -> tuple[int, int, int, int]:
    """A kinked rate curve per second, from annual rates scaled 1e18."""
    return kink, low // YEAR, high // YEAR, base // YEAR


def deploy(
    rpc: LocalRpc,
    spec: CometSpec,
    deployer: str = ACCOUNTS[0],
    existing: Mapping[str, str] = NONE,
    existing_feeds: Mapping[str, str] = NONE,
) -> CometStandIn:
    """Deploy the market, with mintable tokens and Chainlink mock feeds for symbols without existing ones."""
    queue = Deployer(rpc, deployer)
    both = [
        (spec.symbol, spec.decimals, spec.price),
        *((c.symbol, c.decimals, c.price) for c in spec.collaterals),
    ]
    tokens = {
        symbol: existing.get(symbol) or create_zero_first(queue, symbol, symbol, decimals)
        for symbol, decimals, _ in both
    }
    feeds = {symbol: existing_feeds.get(symbol) or create_feed(queue, price) for symbol, _, price in both}
    assets = [
        (tokens[c.symbol], feeds[c.symbol], c.borrow, c.liquidate, c.liquidation, c.cap * int(10**c.decimals))
        for c in spec.collaterals
    ]
    comet = queue.create(
        artifacts(_SOURCE)["CometStandIn"],
        tokens[spec.symbol],
        feeds[spec.symbol],
        spec.store_front,
        spec.borrow_min,
        spec.target_reserves,
        _curve(85 * WAD // 100, 48 * WAD // 1000, 16 * WAD // 10, 0),
        _curve(85 * WAD // 100, 53 * WAD // 1000, 18 * WAD // 10, 15 * WAD // 1000),
        assets,
    )
    queue.flush()
    return CometStandIn(comet, spec.symbol, deployer, tokens, feeds)


def mint_and_supply(market: CometStandIn, who: str, symbol: str, amount: int) -> list[Tx]:
    """Three transactions: mint, approve and supply."""
    token = market.tokens[symbol]
    return [call_of(who, token, "mint(address,uint256)", who, amount), *supply(market, who, symbol, amount)]


def supply(market: CometStandIn, who: str, symbol: str, amount: int) -> list[Tx]:
    """Two transactions: approve and supply."""
    token = market.tokens[symbol]
    return [
        call_of(who, token, "approve(address,uint256)", market.comet, amount),
        call_of(who, market.comet, "supply(address,uint256)", token, amount),
    ]


def withdraw(market: CometStandIn, who: str, symbol: str, amount: int) -> Tx:
    """Withdraw an asset; base beyond what was supplied is borrowed."""
    return call_of(who, market.comet, "withdraw(address,uint256)", market.tokens[symbol], amount)
