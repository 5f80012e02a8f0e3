"""A local Aave v3 market: the specification from which it is deployed, and the resulting addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

TokenKind = Literal["standard", "zero_first"]
"""`zero_first`: as USDT, returns nothing and refuses to change one nonzero allowance to another."""


@dataclass(frozen=True)
class RateSpec:
    """Interest rate strategy; all in basis points, rates per year."""

    optimal: int = 8000
    base: int = 0
    slope1: int = 400
    slope2: int = 6000


@dataclass(frozen=True)
class ReserveSpec:
    """One reserve. Price with 8 decimals, ratios in basis points (`bonus` 10500: 5 %), caps in whole tokens.

    With a liquidation threshold of 0 the asset is no collateral. A cap of 0 is no cap.
    """

    symbol: str
    decimals: int
    price: int
    ltv: int
    liquidation_threshold: int
    bonus: int
    protocol_fee: int = 1000
    """The protocol's share of the liquidation bonus."""
    reserve_factor: int = 1000
    rates: RateSpec = RateSpec()
    borrowing: bool = True
    flash_loans: bool = True
    stable_borrowing: bool = False
    """Only versions up to 3.1 have stable debt; later ones ignore it."""
    supply_cap: int = 0
    borrow_cap: int = 0
    kind: TokenKind = "standard"


@dataclass(frozen=True)
class EModeSpec:
    """One e-mode category; ratios in basis points.

    Up to 3.1 an asset belongs to one category at most: `collaterals` and `borrowables` together are its
    members, and `price` (8 decimals) gives the category a price source of its own. Since 3.2 the two sets
    are separate and `price` must be None.
    """

    id: int
    ltv: int
    liquidation_threshold: int
    bonus: int
    label: str
    collaterals: tuple[str, ...]
    borrowables: tuple[str, ...]
    price: int | None = None


@dataclass(frozen=True)
class DeployedReserve:
    """Addresses of one reserve. `feed` is a Chainlink MockV3Aggregator with 8 decimals."""

    symbol: str
    asset: str
    decimals: int
    feed: str
    a_token: str
    variable_debt_token: str
    stable_debt_token: str | None


@dataclass(frozen=True)
class AaveDeployment:
    """Addresses of one deployed market. `acl_admin` holds every role and may mint every token."""

    version: str
    pool: str
    addresses_provider: str
    configurator: str
    oracle: str
    data_provider: str
    acl_admin: str
    reserves: Mapping[str, DeployedReserve]
    libraries: Mapping[str, str]
    """The Pool's linked libraries by name."""
    emode_feeds: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    """Price sources of e-mode categories that have one, by category."""
    errors: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Custom errors by selector, to decode reverts; empty for 3.0.2, which reverts with numbers."""


def demo_market() -> tuple[list[ReserveSpec], list[EModeSpec]]:
    """Five assets and one e-mode with parameters like Ethereum mainnet's and ordinary prices."""
    stable = RateSpec(optimal=9000, slope1=400, slope2=6000)
    ether = RateSpec(optimal=8000, slope1=330, slope2=8000)
    wrapped = RateSpec(optimal=4500, slope1=700, slope2=30000)
    reserves = [
        ReserveSpec("WETH", 18, 2500_00000000, 8050, 8300, 10500, reserve_factor=1500, rates=ether),
        ReserveSpec("WBTC", 8, 60000_00000000, 7300, 7800, 10500, reserve_factor=2000, rates=wrapped),
        ReserveSpec("USDC", 6, 1_00000000, 7700, 8000, 10450, rates=stable),
        ReserveSpec("DAI", 18, 1_00000000, 7500, 7800, 10500, rates=stable, stable_borrowing=True),
        ReserveSpec("wstETH", 18, 2920_00000000, 7850, 8100, 10600, reserve_factor=1500, rates=wrapped),
    ]
    members = ("WETH", "wstETH")
    return reserves, [EModeSpec(1, 9300, 9500, 10100, "ETH correlated", members, members)]
