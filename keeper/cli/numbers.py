"""Numbers given on the command line, exactly."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from keeper.errors import ConfigError


def decimal(text: str, flag: str) -> Decimal:
    """A finite decimal number; ConfigError names the flag."""
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise ConfigError(f"{text[:40]!r} is not a number", where=flag, remedy="Write it like 1.05")
    return value
