"""[markets.NAME.clearinghouse]: the keeper's own account there, and what unpaid upkeep may cost."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from keeper.config import ProtocolSettings
from keeper.config.values import Money


class ClearinghouseSettings(ProtocolSettings):
    account: int | None = Field(default=None, ge=0, lt=2**128)
    """The number of the signer's account that takes positions over. Absent: nobody is liquidated."""
    upkeep_gas_per_day: Money = Decimal(0)
    """Whole native coins a day that unpaid upkeep may cost: margin calls, observations and settlements of
    expiries. 0: none is done."""

    @property
    def chores_gas_per_day(self) -> Decimal:
        return self.upkeep_gas_per_day
