"""Hyperliquid's margin tiers: maintenance is half the initial rate at the tier's maximum leverage."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from fractions import Fraction

from keeper.errors import MarginError
from keeper.margin.checks import positive
from keeper.margin.interface import Provenance
from keeper.margin.schedules.tiers import Schedule, Tier

MAINNET_2025 = Provenance(
    "2025", date(2025, 5, 1), "Hyperliquid documentation, trading/margin-tiers, USDC notional"
)


def schedule(tiers: Iterable[tuple[Fraction, Fraction]], provenance: Provenance = MAINNET_2025) -> Schedule:
    """The schedule of (lower notional, max leverage) pairs: rate = 1 / (2·max leverage), exact."""
    return Schedule(
        tuple(
            Tier(lower, 1 / (2 * Fraction(positive(leverage, "max_leverage"))), leverage)
            for lower, leverage in tiers
        ),
        provenance,
    )


def _table(first: int, boundary: int, second: int) -> Schedule:
    return schedule(((Fraction(0), Fraction(first)), (Fraction(boundary), Fraction(second))))


TABLES = {
    "BTC": _table(40, 150_000_000, 20),
    "ETH": _table(25, 100_000_000, 15),
    "SOL": _table(20, 70_000_000, 10),
    "XRP": _table(20, 40_000_000, 10),
}


def table(asset: str) -> Schedule:
    """The mainnet table of an asset; MarginError where none is stored here."""
    if asset not in TABLES:
        raise MarginError(
            f"no tiers stored for {asset}", field="asset", remedy="Pass the tiers of the meta endpoint."
        )
    return TABLES[asset]
