"""A local Lyra Avalon: the specification from which it is deployed, and the resulting addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from keeper.localchain.lyra_avalon_parameters import (
    WAD,
    WEEK,
    AvalonTerms,
    ForcedClose,
    GreekCaching,
    HedgerTerms,
    LiquidationPenalty,
    MinimumCollateral,
    PoolTerms,
    TradeFees,
    TradeLimits,
    VarianceFees,
)


class AvalonOption(IntEnum):
    """The five kinds of positions, by the contract's own numbers. A short's last word names its collateral:
    BASE the underlying token, QUOTE dollars."""

    LONG_CALL = 0
    LONG_PUT = 1
    SHORT_CALL_BASE = 2
    SHORT_CALL_QUOTE = 3
    SHORT_PUT_QUOTE = 4


@dataclass(frozen=True)
class StrikeSpec:
    """One strike: its price in dollars, and its volatility as a fraction of its board's; 1e18."""

    price: int
    skew: int = WAD


@dataclass(frozen=True)
class BoardSpec:
    """Options of one expiry, `lasts` seconds after listing, with base volatility `iv` (1e18)."""

    strikes: tuple[StrikeSpec, ...]
    lasts: int = 4 * WEEK
    iv: int = WAD


@dataclass(frozen=True)
class AvalonSpec:
    """One market on one token, with all parameters of its contracts, 1e18. `base_fee` and `quote_fee` are the
    shares that Synthetix charges for exchanging the token into dollars and back."""

    symbol: str = "ETH"
    spot: int = 2_000 * WAD
    liquidity: int = 500_000 * WAD
    base_fee: int = 75 * WAD // 10_000
    quote_fee: int = 50 * WAD // 10_000
    market: AvalonTerms = field(default_factory=AvalonTerms)
    minimum: MinimumCollateral = field(default_factory=MinimumCollateral)
    penalty: LiquidationPenalty = field(default_factory=LiquidationPenalty)
    forced: ForcedClose = field(default_factory=ForcedClose)
    greeks: GreekCaching = field(default_factory=GreekCaching)
    fees: TradeFees = field(default_factory=TradeFees)
    limits: TradeLimits = field(default_factory=TradeLimits)
    variance: VarianceFees = field(default_factory=VarianceFees)
    pool: PoolTerms = field(default_factory=PoolTerms)
    hedger: HedgerTerms = field(default_factory=HedgerTerms)
    short_buffer: int = 2 * WAD


@dataclass(frozen=True)
class LocalStrike:
    """One strike by its id, with its board's id."""

    id: int
    board: int
    price: int


@dataclass(frozen=True)
class LocalBoard:
    """One board by its id, with its expiry (Unix time)."""

    id: int
    expiry: int
    strikes: tuple[LocalStrike, ...]


@dataclass(frozen=True)
class SynthetixDouble:
    """The package's own test double of Synthetix v2: rates that its owner sets, and an exchange at them."""

    synthetix: str
    exchanger: str
    rates: str
    approvals: str
    shorts: str
    resolver: str
    quote: str
    base: str


@dataclass(frozen=True)
class AvalonContracts:
    """The contracts of one market."""

    market: str
    token: str
    greek_cache: str
    pricer: str
    short_collateral: str
    pool: str
    pool_token: str
    hedger: str
    adapter: str


@dataclass(frozen=True)
class AvalonDeployment(AvalonContracts, SynthetixDouble):
    """One market and its double of Synthetix. `owner` may configure everything, mint tokens and set the rate;
    `errors` are the names of the contracts' custom errors by selector."""

    symbol: str
    owner: str
    boards: tuple[LocalBoard, ...]
    errors: Mapping[str, str]
