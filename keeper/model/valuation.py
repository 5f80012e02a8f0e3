"""What an account is worth at one block, and the explanation of it for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from keeper.model.money import WAD

_NO_PARTS: Mapping[str, int] = MappingProxyType({})
_set = object.__setattr__


@dataclass(frozen=True, slots=True, init=False)
class Valuation:
    """One account at one block in the protocol's own integers, whatever the protocol's family.

    `equity` is what counts against the requirement, signed; `maintenance` what the account must have to keep
    its positions, never negative; `net` what closing everything at market would leave: below 0 is bad debt.
    `initial` is what opening more requires, where the protocol's view reports it. All four are in the
    account's own unit. `liquidatable` is the protocol's own verdict. `health` is equity over maintenance,
    scaled 1e18 and rounded as the protocol does (see `ratio_down`); None where nothing is required. `parts`
    say by name where the numbers come from: amounts in the same unit, or ratios of which the adapter knows
    the decimals.

    Two valuations of the same block are equal in every field and every part, or one of them is wrong.
    """

    account: str
    equity: int
    maintenance: int
    net: int
    liquidatable: bool
    initial: int | None
    health: int | None
    parts: Mapping[str, int] = field(hash=False)

    def __init__(
        self,
        account: str,
        equity: int,
        maintenance: int,
        net: int,
        liquidatable: bool,
        initial: int | None = None,
        health: int | None = None,
        parts: Mapping[str, int] = _NO_PARTS,
    ) -> None:
        # As the generated one, at half its time: a tick makes thousands.
        _set(self, "account", account)
        _set(self, "equity", equity)
        _set(self, "maintenance", maintenance)
        _set(self, "net", net)
        _set(self, "liquidatable", liquidatable)
        _set(self, "initial", initial)
        _set(self, "health", health)
        _set(self, "parts", parts)


def ratio_down(equity: int, maintenance: int) -> int | None:
    """⌊equity·1e18 / maintenance⌋; None where nothing is required.

    A floored ratio is below a whole number exactly where the ratio itself is: comparing it with a level is
    comparing equity·1e18 with level·maintenance, and the division decides nothing.
    """
    return equity * WAD // maintenance if maintenance else None


@dataclass(frozen=True, slots=True)
class AssetLine:
    """One asset of an account, for people: amounts in token units, values in base currency."""

    asset: str
    symbol: str
    decimals: int
    price: int
    supplied: int = 0
    collateral: int = 0
    threshold: int = 0
    owed: int = 0
    debt: int = 0
    breaks_at: int | None = None
    """Price of this asset, others unchanged, at which health crosses 1; None when none does."""


@dataclass(frozen=True, slots=True)
class PositionLine:
    """One derivative position of an account, for people: signed `size` and money, in the decimals of the
    account's values."""

    market: str
    symbol: str
    size: int
    entry: int
    mark: int
    pnl: int
    funding: int
    initial: int
    maintenance: int
    breaks_below: int | None = None
    breaks_above: int | None = None
    """The nearest prices of this market, others unchanged, at which the account can be liquidated."""
    days: float | None = None
    """Days to the expiry of an option that has not ended."""
    greeks: Mapping[str, int] = field(default_factory=dict, hash=False)
    """Greeks of an option, with the position's sign and size, by name: `delta` in units of the underlying,
    `gamma` the change of delta per unit of its price, and the change of the position's worth per percentage
    point of volatility (`vega`), per day (`theta`) and per percentage point of interest (`rho`)."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation of an account's health."""

    valuation: Valuation
    lines: tuple[AssetLine, ...]
    formula: str
    positions: tuple[PositionLine, ...] = ()
