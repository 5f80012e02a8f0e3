"""Answers of `contracts/src/PerpV2Lens.sol` of the whole exchange."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

from eth_abi.abi import decode

from keeper.margin.perps.perp_v2 import CurieTerms
from keeper.margin.perps.perp_v2_collateral import SaleTerms
from keeper.margin.perps.perp_v2_market import PremiumGrowth, accrue_premium, mean_tick
from keeper.protocols.lenses import LensContract
from keeper.protocols.perp_v2.averages import SHORTEST, Ahead, PriceWindow, ahead_of, price_window
from keeper.venues.uniswap_v3.lens import read_pool
from keeper.venues.uniswap_v3.pool import Pool
from keeper.venues.uniswap_v3.tick_math import sqrt_ratio_at

LENS = LensContract("PerpV2Lens", "0x00000000000000000000000000000000ba7c00d1")
# After so many seconds the pool's tick counts anew for how far a trade may move it.
_LIMIT_INTERVAL = 15
# Seconds that the price of a collateral is averaged over.
_COLLATERAL_INTERVAL = 900
_MARKET = (
    "(address,string,address,address,uint8,bool,uint256,uint160,int24,bool,int256[2],uint256[2],uint256,"
    "uint256[2],int56[2],uint256,(uint24,uint24,uint24,int24,uint256,uint256,bytes),"
    "(int56,uint32,uint32,uint32,bool,bytes,bytes,bytes,bytes,bytes,bytes))"
)
_TOKEN = "(address,uint8,bool,uint256,uint8,(address,uint24,uint24,uint256),uint256,uint256,bytes)"  # noqa: S105
_STATE = (
    "(address,address,address,address,address,address,address,uint8,bool,uint24[4],uint256[5],int256,uint256,"
    f"{_MARKET}[],{_TOKEN}[])"
)
Status = Literal["open", "paused", "closed"]
_STATUS: tuple[Status, ...] = ("open", "paused", "closed")


@dataclass(frozen=True, slots=True)
class Trading:
    """What a trade hangs on: `fee` and the `band` around the `index` of the moment in millionths, the pool,
    and that a trade may move it by `max_ticks` from the `tick` that was noted at `noted`."""

    fee: int
    band: int
    max_ticks: int
    tick: int
    noted: int
    index: int
    pool: Pool

    def middle(self, timestamp: int) -> int:
        """The tick from which a trade's move counts at that second, if nobody trades before."""
        return self.pool.tick if timestamp >= self.noted + _LIMIT_INTERVAL else self.tick


@dataclass(frozen=True, slots=True)
class CurieBook:
    """One market by its base token. `price` values positions (None where it cannot be had): the mark, of a
    paused market its last index, of a closed one what it closed at. `average` is the pool's root over the
    interval of funding, `index` the index over it, `until` when funding stopped or None while it grows."""

    base: str
    symbol: str
    feed: str
    pool: str
    status: Status
    price: int | None
    root: int
    tick: int
    stored: PremiumGrowth
    fees: int
    until: int | None
    average: int
    index: int
    trading: Trading | None
    """None where the market is not open, or its pool could not be read."""
    ahead: Ahead | None
    """None where the market is not open, or averages could not be read: they then count as standing still."""

    def at(self, timestamp: int) -> CurieBook:
        """The market at that second, if nothing happens until then."""
        if self.ahead is None:
            return self
        average, index = self.ahead.of_funding(timestamp)
        mark = self.ahead.mark(timestamp)
        # A mark that will revert says nothing of what positions are worth.
        return replace(self, price=self.price if mark is None else mark, average=average, index=index)

    def growth_at(self, max_rate: int, timestamp: int) -> PremiumGrowth:
        """Funding accumulated to `timestamp`, at the averages of the block that was read."""
        now = timestamp if self.until is None else self.until
        return accrue_premium(self.stored, self.average, self.index, self.root, max_rate, now)


@dataclass(frozen=True, slots=True)
class VaultToken:
    """One collateral: average `price` with `price_decimals`, None where it cannot be had; `weight` in
    millionths of its value; the vault takes up to `cap` and has `held`."""

    token: str
    decimals: int
    price: int | None
    price_decimals: int
    feed: str
    weight: int
    discount: int
    cap: int
    held: int
    spot: int
    window: PriceWindow | None
    """What its price is averaged over, where it could be read."""

    def after(self, passed: int) -> VaultToken:
        """The token so many seconds later, if nothing happens until then."""
        if self.window is None:
            return self
        return replace(self, price=self.window.average(passed, passed, self.window.interval, self.spot))

    def value(self, amount: int) -> int:
        """18 decimals, without weight, rounded as the vault does."""
        unit: int = 10 ** (18 - self.decimals)
        price_unit: int = 10**self.price_decimals
        return amount * unit * (self.price or 0) // price_unit


@dataclass(frozen=True, slots=True)
class CurieState:
    """Perp v2 at one block: everything that all traders share."""

    vault: str
    exchange: str
    order_book: str
    account_balance: str
    insurance: str
    registry: str
    settlement: str
    decimals: int
    paused: bool
    terms: CurieTerms
    max_rate: int
    sales: SaleTerms
    capacity: int
    """Units of the settlement token that the insurance fund can cover."""
    read: int
    """The second it is of."""
    markets: Mapping[str, CurieBook]
    tokens: Mapping[str, VaultToken]
    whole: bool
    """Whether what no view tells could be read: the first time it is not yet known where that is."""

    def at(self, timestamp: int) -> CurieState:
        """All prices and averages at that second, if nothing happens until then."""
        passed = timestamp - self.read
        if passed <= 0:
            return self
        markets = {base: each.at(timestamp) for base, each in self.markets.items()}
        tokens = {token: each.after(passed) for token, each in self.tokens.items()}
        return replace(self, markets=MappingProxyType(markets), tokens=MappingProxyType(tokens))


def read_state(data: bytes) -> CurieState:
    row = decode([_STATE], data)[0]
    (
        vault,
        exchange,
        book,
        balance,
        insurance,
        registry,
        settlement,
        decimals,
        paused,
        ratios,
        sales,
        capacity,
        read,
        markets,
        tokens,
    ) = row
    initial, maintenance, penalty, max_rate = ratios
    buffer, share, part, fee, dust = sales
    return CurieState(
        vault,
        exchange,
        book,
        balance,
        insurance,
        registry,
        settlement,
        decimals,
        paused,
        CurieTerms(initial, maintenance, penalty),
        max_rate,
        SaleTerms(buffer, share, part, fee, 0, dust, decimals),
        capacity,
        read,
        MappingProxyType({each[0].lower(): _market(each) for each in markets}),
        MappingProxyType({each[0].lower(): _token(each) for each in tokens}),
        whole=all(each[9] for each in markets),
    )


def _market(row: tuple[Any, ...]) -> CurieBook:
    base, symbol, feed, pool, status, priced, price, root, tick, stored = row[:10]
    (premium, over_root), (settled, _), fees, (until, interval), (earlier, later), index, trading, ahead = (
        row[10:]
    )
    price = price if priced and stored else None
    average = root if interval < SHORTEST else sqrt_ratio_at(mean_tick(earlier, later, interval))
    return CurieBook(
        base.lower(),
        symbol,
        feed,
        pool,
        _STATUS[status],
        price,
        root,
        tick,
        PremiumGrowth(premium, over_root, settled),
        fees,
        None if status == 0 else until,
        average,
        index,
        _trading(*trading),
        None if price is None or status else ahead_of(until, tick, root, trading[5], price, interval, ahead),
    )


def _trading(
    fee: int, band: int, most: int, tick: int, noted: int, index: int, pool: bytes
) -> Trading | None:
    return Trading(fee, band, most, tick, noted, index, read_pool(pool)) if pool else None


def _token(row: tuple[Any, ...]) -> VaultToken:
    token, decimals, priced, price, price_decimals, (feed, weight, discount, cap), held, spot, ahead = row
    return VaultToken(
        token.lower(),
        decimals,
        price if priced else None,
        price_decimals,
        feed,
        weight,
        discount,
        cap,
        held,
        spot,
        price_window(_COLLATERAL_INTERVAL, ahead) if spot else None,
    )
