"""[markets.NAME.morpho_blue]: the followed markets of the singleton, and what loan tokens are worth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from keeper.config import ProtocolSettings


class MorphoBlueSettings(ProtocolSettings):
    moved_from_market: ClassVar[Mapping[str, str]] = {
        "market_ids": "market_ids",
        "unlisted": "untrusted_markets",
        "loan_prices": "loan_prices",
    }

    market_ids: list[Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{64}$")]] = Field(default=[])
    """The markets of the singleton to follow; empty: all."""
    untrusted_markets: Literal["watch", "act"] | None = None
    """Without `market_ids`: whether accounts in markets that nobody listed are acted on, or only watched and
    reported. Anybody can make such a market, of their own token and with their own oracle. Absent: watch; act
    on local chains, where nobody else is."""
    loan_prices: dict[str, Annotated[Decimal, Field(gt=0)]] = Field(default={})
    """What a whole loan token is worth in base currency, by symbol or address. Absent: 1 on local chains;
    elsewhere nothing is done for a loan token without a price."""

    def loan_token_names(self) -> Mapping[str, Iterable[str]]:
        return {"loan_prices": self.loan_prices}
