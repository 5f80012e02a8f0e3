"""[markets.NAME]: which contracts are watched, and what is known of their prices that no chain tells."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, model_validator

from keeper.config.values import Address, Section


class ChainlinkSource(Section):
    """A second source that answers as a Chainlink feed does, in the market's base currency."""

    kind: Literal["chainlink"]
    address: Address
    heartbeat: int | None = Field(default=None, gt=0)
    """Seconds after which its answer no longer counts."""


class UniswapV3Source(Section):
    """A second source: the mean of a Uniswap v3 pool over a window.

    The other token of the pool is priced by the market itself, or, when the market does not list it, by
    `quote_price` (whole units of the base currency)."""

    kind: Literal["uniswap-v3"]
    address: Address
    window: int = Field(default=1800, gt=0)
    """Seconds the price is averaged over."""
    quote_price: Annotated[Decimal, Field(gt=0)] | None = None


class PythSource(Section):
    """A second source: a Pyth contract and the feed in it."""

    kind: Literal["pyth"]
    address: Address
    price_id: Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{64}$")]
    heartbeat: int | None = Field(default=None, gt=0)
    max_uncertainty: Annotated[Decimal, Field(gt=0, lt=1)] = Decimal("0.02")
    """Pyth's confidence interval over its price, above which it is no second opinion."""


SecondSource = Annotated[ChainlinkSource | UniswapV3Source | PythSource, Field(discriminator="kind")]


class Oracle(Section):
    """What is known of an asset's price that no chain tells. Absent values are not judged."""

    heartbeat: int | None = Field(default=None, gt=0)
    """Seconds within which each feed behind the price gives a new round."""
    heartbeat_guessed: bool = False
    """Whether nobody has checked the heartbeat yet: it is held against the feed, and `doctor` warns."""
    min_price: Annotated[Decimal, Field(gt=0)] | None = None
    """Whole units of the base currency; a price outside the bounds counts only if the second agrees."""
    max_price: Annotated[Decimal, Field(gt=0)] | None = None
    deviation: Annotated[Decimal, Field(gt=0, lt=1)] = Decimal("0.05")
    """How far two sources may lie apart and still agree; how far a price may move without a new round."""
    second_source: SecondSource | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Oracle:
        if self.min_price is not None and self.max_price is not None and self.min_price >= self.max_price:
            raise ValueError("min_price must lie below max_price")
        return self


class MarketSettings(Section):
    protocol: Literal["aave-v3", "morpho-blue", "compound-v3", "liquity"]
    chain: str
    address: Address
    from_block: int = Field(default=0, ge=0)
    audit_sample: int = Field(default=8, ge=1)
    """Accounts compared with the contract's own view at every block, in turn."""
    owner_top_up: Address | None = None
    """Our OwnerTopUp contract for this pool, where owners pay; `keeper contracts deploy` makes one."""
    unknown_oracles: Literal["watch", "act"] = "watch"
    """What to do for accounts with an asset whose price source is of no known kind."""
    oracles: dict[str, Oracle] = {}
    """By symbol or address of the asset."""
    base_price: Annotated[Decimal, Field(gt=0)] = Decimal(1)
    """What a whole unit of the market's base currency is worth in the unit of account, in which all
    amounts of the policy are. 1 where both are dollars; a market that counts in ether needs it."""
    market_ids: list[Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{64}$")]] = []
    """Morpho Blue: the markets of the singleton to follow; empty: all."""
    untrusted_markets: Literal["watch", "act"] | None = None
    """Morpho Blue without `market_ids`: whether accounts in markets that nobody listed are acted on, or
    watched and told of only. Anybody makes such a market, of his own token and with his own oracle. Absent:
    watch; act on local chains, where nobody else is."""
    loan_prices: dict[str, Annotated[Decimal, Field(gt=0)]] = {}
    """Morpho Blue: what a whole loan token is worth in base currency, by symbol or address.
    Absent: 1 on local chains; elsewhere nothing is done where a loan token's worth is not said."""

    @model_validator(mode="after")
    def _fits(self) -> MarketSettings:
        given = [name for name in ("market_ids", "loan_prices", "untrusted_markets") if getattr(self, name)]
        if self.protocol != "morpho-blue" and given:
            what = f"{given[0]} belongs" if len(given) == 1 else f"{' and '.join(given)} belong"
            raise ValueError(f"{what} to protocol = 'morpho-blue'")
        return self
