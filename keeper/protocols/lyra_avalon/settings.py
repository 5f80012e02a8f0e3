"""[markets.NAME.lyra_avalon]: what only an option market of Lyra Avalon needs to be told."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import ClassVar

from keeper.config import ProtocolSettings
from keeper.config.values import Address, Money
from keeper.protocols.lyra_avalon.reducing import REDUCE


class LyraAvalonSettings(ProtocolSettings):
    contracts: ClassVar[Mapping[str, str]] = {"grant": "grant"}

    grant: Address | None = None
    """Our AvalonGrant contract, which owners let take their positions; `keeper contracts deploy` makes one.
    Without it positions are added to, never reduced."""
    upkeep_gas_per_day: Money = Decimal(0)
    """Whole native coins a day that unpaid upkeep may cost: Greeks brought up to date, expired boards and
    their positions settled. 0: none is done."""

    @property
    def own_calls(self) -> Mapping[str, tuple[str, ...]]:
        return {} if self.grant is None else {self.grant: (REDUCE,)}

    @property
    def chores_gas_per_day(self) -> Decimal:
        return self.upkeep_gas_per_day
