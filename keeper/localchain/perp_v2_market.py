"""A local Perp v2: the specification from which it is deployed, and the resulting addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from keeper.model.money import WAD as WAD

DOLLAR = 10**6
"""One dollar in units of the settlement token."""
RATIO = 10**6
"""Perp's ratios are millionths."""

CurieBuild = Literal["2.6.0", "2.8.4"]
"""The version of the contracts. 2.6.0 as on Optimism in 2023: the mark reads the pool's present price, and a
close beyond the price limit closes a quarter. 2.8.4: it reads the average of 15 seconds, and a close stops at
the limit."""


@dataclass(frozen=True)
class BaseSpec:
    """One market: its first price (8 decimals, of both index and pool) and its Uniswap pool's fee (1e6).

    `depth` is in dollars on each side, spread over `width` ticks each way. A trade may move the pool by
    `max_ticks` from its tick of up to 15 seconds before.
    """

    symbol: str
    price: int
    fee: int = 3_000
    depth: int = 20_000_000
    width: int = 12_000
    max_ticks: int = 1_000
    insurance_fee: int = 100_000
    """The insurance fund's share of the fee, in millionths."""


@dataclass(frozen=True)
class VaultCollateralSpec:
    """A collateral token besides the dollar: price with 8 decimals, ratios in millionths, cap in units."""

    symbol: str
    price: int
    decimals: int = 18
    collateral_ratio: int = 700_000
    discount_ratio: int = 100_000
    deposit_cap: int = 10**30


@dataclass(frozen=True)
class CurieSpec:
    """Parameters of the whole system: amounts in units of the settlement token, ratios in millionths."""

    insurance: int = 1_000_000 * DOLLAR
    max_collaterals: int = 5
    debt_to_collateral: int = 750_000
    liquidation_ratio: int = 500_000
    mm_ratio_buffer: int = 2_000
    collateral_fee: int = 30_000
    """The insurance fund's share of what a liquidator of collateral repays."""
    debt_threshold: int = 10_000 * DOLLAR
    collateral_dust: int = 500 * DOLLAR
    price_timeout: int = 30 * 86_400


@dataclass(frozen=True)
class LocalBase:
    """One market by its base token: its pool, and the price source's aggregator, feed and dispatcher."""

    symbol: str
    token: str
    pool: str
    aggregator: str
    feed: str
    dispatcher: str
    spec: BaseSpec


@dataclass(frozen=True)
class LocalVaultCollateral:
    """One collateral token with its price source's aggregator and Perp's feed that reads it."""

    symbol: str
    token: str
    aggregator: str
    feed: str


@dataclass(frozen=True)
class CurieDeployment:
    """Addresses of one system. `owner` may configure everything; `maker` provides the pools' liquidity, and
    `mover` trades to move their prices."""

    build: CurieBuild
    clearing_house: str
    vault: str
    exchange: str
    order_book: str
    account_balance: str
    insurance_fund: str
    registry: str
    config: str
    collateral_manager: str
    delegate_approval: str
    quote: str
    usd: str
    factory: str
    owner: str
    maker: str
    mover: str
    markets: Mapping[str, LocalBase]
    collaterals: Mapping[str, LocalVaultCollateral]
