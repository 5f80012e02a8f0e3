"""[markets.NAME.synthetix_v3]: where prices that must be brought come from, and what brings them along."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import Field

from keeper.config import PriceServiceTerms, ProtocolSettings
from keeper.config.values import Address, one_url


class SynthetixV3Settings(ProtocolSettings):
    prices_are_brought: ClassVar[bool] = True

    price_service: Annotated[str, one_url("price_service", "https", "http")] | None = None
    """The service of Pyth's signed prices, by Hermes' interface. Absent: only what others brought counts."""
    max_price_age: int = Field(default=60, gt=0)
    """Seconds of age, by block time, beyond which a price is not brought; the market may want it younger."""
    max_confidence: Annotated[Decimal, Field(gt=0, lt=1)] = Decimal("0.01")
    """Pyth's confidence interval over the price, above which that is not brought."""
    price_carrier: Address | None = None
    """Our PriceCarrier contract; without it nobody is liquidated at prices that must be brought."""

    @property
    def price_terms(self) -> PriceServiceTerms | None:
        if self.price_service is None:
            return None
        return PriceServiceTerms(self.price_service, self.max_price_age, self.max_confidence)

    @property
    def carrier_contract(self) -> str | None:
        return self.price_carrier
