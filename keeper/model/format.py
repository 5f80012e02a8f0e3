"""Numbers and times formatted for people: one home, one name per kind."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from keeper.model.money import WAD


def format_money(amount: int) -> str:
    """Money (1e-18 of the unit of account) with two decimals; with two significant digits where those would
    show nothing."""
    whole = Decimal(amount) / WAD
    return f"{whole:,.2f}" if not amount or abs(whole) >= Decimal("0.01") else f"{whole:.2g}"


def format_amount(units: int, decimals: int) -> str:
    """Token units as a decimal number, exactly."""
    return _decimal(units, decimals, decimals, "")


def format_amount_short(units: int, decimals: int) -> str:
    """Token units with separated thousands and at most four decimals, truncated."""
    return _decimal(units, decimals, 4, ",")


def _decimal(units: int, decimals: int, most: int, thousands: str) -> str:
    sign, (whole, rest) = "-" if units < 0 else "", divmod(abs(units), 10**decimals)
    digits = str(rest).rjust(decimals, "0")[:most].rstrip("0") if decimals else ""
    return f"{sign}{whole:{thousands}}" + (f".{digits}" if digits else "")


def format_health(health: int | None) -> str:
    """Health (1e18) with four decimals, truncated so that 0.99999 never reads as 1; None: no debt."""
    if health is None:
        return "no debt"
    sign, health = ("-", -health) if health < 0 else ("", health)
    whole, rest = divmod(health, WAD)
    return f"{sign}{whole}.{rest // 10**14:04d}"


def format_time(timestamp: int | None) -> str:
    """A Unix time, UTC; empty for none."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if timestamp else ""
