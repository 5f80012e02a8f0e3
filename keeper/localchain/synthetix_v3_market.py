"""A local Synthetix v3: the specification from which it is deployed, and the resulting addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from keeper.chain.calldata import ZERO_ADDRESS
from keeper.model.money import WAD as WAD

USD_ID = 0
"""The dollar's id among collaterals; every other collateral has its synth's id."""
DAY = 86_400

OracleKind = Literal["chainlink", "pyth"]
"""`chainlink`: a feed with a staleness limit. `pyth`: a price that must be brought; the oracle requests it
where it is too old."""


@dataclass(frozen=True)
class FeedSpec:
    """A price source: first price with 8 decimals, and its maximum age in seconds where the market has no
    stricter one."""

    symbol: str
    price: int
    oracle: OracleKind = "chainlink"
    tolerance: int = 30 * DAY


@dataclass(frozen=True)
class PerpSpec:
    """One perps market, named as its feed. Sizes, fractions and dollars are scaled 1e18, times are seconds.

    A liquidation window allows a size of (maker + taker fee) · skew scale · `liquidation_multiplier` ·
    `window`."""

    symbol: str
    skew_scale: int
    funding_velocity: int = 9 * WAD
    maker_fee: int = 2 * WAD // 10_000
    taker_fee: int = 5 * WAD // 10_000
    initial_margin: int = 2 * WAD
    minimum_initial_margin: int = WAD // 50
    maintenance_scalar: int = WAD // 2
    flag_reward: int = WAD // 100
    minimum_position_margin: int = 10 * WAD
    liquidation_multiplier: int = WAD
    window: int = 30
    liquidation_pd: int = 0
    endorsed_liquidator: str = ZERO_ADDRESS
    locked_oi: int = WAD // 2
    max_size: int = 10**6 * WAD
    max_value: int = 10**10 * WAD
    strict_tolerance: int = DAY
    settlement_delay: int = 5
    settlement_window: int = 120
    settlement_reward: int = WAD
    price_delay: int = 2
    """Seconds after the commitment at which the settlement's price is taken."""


@dataclass(frozen=True)
class SynthSpec:
    """A synth that is collateral: the feed that prices it, and its discount; 1e18.

    The discount is amount / skew scale · scalar, within its limits; none where the skew scale is 0.
    """

    symbol: str
    feed: str
    skew_scale: int = 1_000 * WAD
    max_amount: int = 10**9 * WAD
    upper_discount: int = WAD // 10
    lower_discount: int = WAD // 50
    discount_scalar: int = WAD
    strict_tolerance: int = DAY


@dataclass(frozen=True)
class CostsByKind:
    """A keeper's costs in dollars scaled 1e18, which `set_costs` changes; flagging costs `flag` per feed."""

    settle: int = 3 * WAD // 2
    flag: int = WAD // 2
    liquidate: int = WAD


@dataclass(frozen=True)
class CostsOfGas:
    """A keeper's costs in gas at the block's base fee, converted to dollars by `feed`; flagging costs `flag`
    per feed."""

    feed: str
    settle: int = 1_100_000
    flag: int = 800_000
    liquidate: int = 1_300_000


@dataclass(frozen=True)
class SystemSpec:
    """Parameters of all markets together; dollars and fractions scaled 1e18."""

    credit: int = 10**9 * WAD
    costs: CostsByKind | CostsOfGas = field(default_factory=CostsByKind)
    min_reward: int = 2 * WAD
    min_profit: int = WAD // 10
    max_reward: int = 500 * WAD
    max_scaling: int = WAD // 2
    collateral_reward: int = WAD // 100
    low_gradient: int = 3 * 10**14
    breakpoint: int = 3 * WAD // 4
    high_gradient: int = 10**16
    max_positions: int = 10
    max_collaterals: int = 10


@dataclass(frozen=True)
class LocalFeed:
    """One price source: its aggregator if it is Chainlink's, its id at Pyth (of settlement prices too), and
    the node of the oracle manager that returns its price."""

    symbol: str
    oracle: OracleKind
    aggregator: str | None
    price_id: bytes
    node: bytes


@dataclass(frozen=True)
class LocalPerp:
    """One perps market by its id."""

    id: int
    symbol: str
    feed: LocalFeed
    price_delay: int


@dataclass(frozen=True)
class LocalSynth:
    """One synth: its id as spot market and as collateral, its token, and where seized collateral goes."""

    id: int
    symbol: str
    token: str
    feed: LocalFeed
    distributor: str


@dataclass(frozen=True)
class SynthetixDeployment:
    """Addresses of one system. `owner` may configure everything; `perps_id` is the perps market's id in the
    core."""

    perps: str
    perps_id: int
    spot: str
    core: str
    oracle_manager: str
    account_token: str
    usd: str
    pyth: str
    wrapper: str
    cost_source: str
    owner: str
    feeds: Mapping[str, LocalFeed]
    markets: Mapping[str, LocalPerp]
    synths: Mapping[str, LocalSynth]
    errors: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Custom errors by selector, to decode reverts."""
