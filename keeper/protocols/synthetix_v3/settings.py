"""[markets.NAME.synthetix_v3]: our contracts for the market, and where prices to be brought come from."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import Field

from keeper.config import PriceServiceTerms, ProtocolSettings
from keeper.config.values import Address, one_url
from keeper.oracles.pull import carrier
from keeper.protocols.synthetix_v3.planning import ADD
from keeper.protocols.synthetix_v3.reducing import REDUCE


class SynthetixV3Settings(ProtocolSettings):
    contracts: ClassVar[Mapping[str, str]] = {"grant": "grant", "price-carrier": "price_carrier"}

    grant: Address | None = None
    """Our SynthetixGrant contract, which accounts' owners give their permissions to; `keeper contracts
    deploy` makes one. Without it only accounts of the signer's own are added to and reduced."""
    price_service: Annotated[str, one_url("price_service", "https", "http")] | None = None
    """The service of Pyth's signed prices, by Hermes' interface. Absent: only what others brought counts."""
    max_price_age: int = Field(default=60, gt=0)
    """Seconds of age, by block time, beyond which a price is not brought; the market may want it younger."""
    max_confidence: Annotated[Decimal, Field(gt=0, lt=1)] = Decimal("0.01")
    """Pyth's confidence interval over the price, above which that is not brought."""
    price_carrier: Address | None = None
    """Our PriceCarrier contract; without it nobody is liquidated at prices that must be brought."""

    @property
    def own_calls(self) -> Mapping[str, tuple[str, ...]]:
        found = {} if self.grant is None else {self.grant: (ADD, REDUCE)}
        return found | ({} if self.price_carrier is None else {self.price_carrier: (carrier.SIGNATURE,)})

    @property
    def price_terms(self) -> PriceServiceTerms | None:
        if self.price_service is None:
            return None
        return PriceServiceTerms(self.price_service, self.max_price_age, self.max_confidence)
