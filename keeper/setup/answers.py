"""What only the operator knows: names, thresholds, protected accounts, the key, the alert channels."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class InitAnswers:
    """An operator's answers. Ratios are health; `max_per_day` is in whole units of the base currency."""

    chain: str
    market: str
    warn: Decimal = Decimal("1.10")
    top_up: Decimal = Decimal("1.05")
    liquidate: Decimal = Decimal("1.0")
    target: Decimal = Decimal("1.25")
    protect: tuple[str, ...] = ()
    max_per_day: Decimal = Decimal(1000)
    keystore: str | None = None
    password_file: str | None = None
    store: str = "sqlite:///keeper.db"
    alerts: tuple[str, ...] = ()
    from_block: int | None = None
