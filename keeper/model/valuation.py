"""What an account is worth at one block, and how that comes about for people."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Valuation:
    """An account in the protocol's own numbers: base currency units and health scaled 1e18.

    `health` is None without debt. `threshold` is what the protocol weighs the collateral by (Aave: the
    average liquidation threshold in basis points). Two valuations of the same block must be equal.
    """

    account: str
    collateral: int
    debt: int
    threshold: int
    health: int | None


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
class Explanation:
    """How an account's health comes about."""

    valuation: Valuation
    lines: tuple[AssetLine, ...]
    formula: str
