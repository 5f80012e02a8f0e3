"""Binance's published leverage brackets, dated. Live ones come from its leverageBracket endpoint."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from keeper.margin.interface import Provenance
from keeper.margin.schedules.tiers import Schedule, Tier


def _schedule(rows: tuple[tuple[int, str, int], ...], provenance: Provenance) -> Schedule:
    return Schedule(
        tuple(Tier(Fraction(lower), Fraction(rate), Fraction(leverage)) for lower, rate, leverage in rows),
        provenance,
    )


BTCUSDT_2021 = _schedule(
    (
        (0, "0.004", 125),
        (50_000, "0.005", 100),
        (250_000, "0.01", 50),
        (1_000_000, "0.025", 20),
        (10_000_000, "0.05", 10),
        (20_000_000, "0.1", 5),
        (50_000_000, "0.125", 4),
        (100_000_000, "0.15", 3),
        (200_000_000, "0.25", 2),
        (300_000_000, "0.5", 1),
    ),
    Provenance("2021-03-18", date(2021, 3, 18), "Binance announcement 86cf9aa4, USDT notional"),
)

BTCUSD_COIN_M_2020 = _schedule(
    (
        (0, "0.004", 125),
        (10, "0.005", 100),
        (20, "0.01", 50),
        (30, "0.025", 20),
        (50, "0.05", 10),
        (100, "0.1", 5),
        (200, "0.125", 4),
        (400, "0.15", 3),
        (1_000, "0.25", 2),
    ),
    Provenance("2020-06-11", date(2020, 6, 11), "Binance FAQ be2c7d9d, notional in BTC"),
)
