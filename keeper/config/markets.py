"""[markets.NAME]: the watched contracts, and facts about their prices that are not on chain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import Field, create_model, model_validator

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
    """Seconds over which the price is averaged."""
    quote_price: Annotated[Decimal, Field(gt=0)] | None = None


class PythSource(Section):
    """A second source: a Pyth contract and the feed in it."""

    kind: Literal["pyth"]
    address: Address
    price_id: Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{64}$")]
    heartbeat: int | None = Field(default=None, gt=0)
    max_uncertainty: Annotated[Decimal, Field(gt=0, lt=1)] = Decimal("0.02")
    """Pyth's confidence interval over its price, above which the feed is no second opinion."""


SecondSource = Annotated[ChainlinkSource | UniswapV3Source | PythSource, Field(discriminator="kind")]


class Oracle(Section):
    """Facts about an asset's price that are not on chain. Absent values are not judged."""

    heartbeat: int | None = Field(default=None, gt=0)
    """Seconds within which each feed behind the price gives a new round."""
    heartbeat_guessed: bool = False
    """Whether nobody has checked the heartbeat yet: it is compared with the feed, and `doctor` warns."""
    min_price: Annotated[Decimal, Field(gt=0)] | None = None
    """Whole units of the base currency; a price outside the bounds counts only if the second agrees."""
    max_price: Annotated[Decimal, Field(gt=0)] | None = None
    deviation: Annotated[Decimal, Field(gt=0, lt=1)] = Decimal("0.05")
    """How far two sources may differ and still agree; how far a price may move without a new round."""
    second_source: SecondSource | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Oracle:
        if self.min_price is not None and self.max_price is not None and self.min_price >= self.max_price:
            raise ValueError("min_price must lie below max_price")
        return self


@dataclass(frozen=True, slots=True)
class PriceServiceTerms:
    """The service of signed prices, and which of them count: age in seconds, width of the confidence interval
    as a share of the price."""

    url: str
    max_age: int
    max_confidence: Decimal


class ProtocolSettings(Section):
    """A market's table for its protocol: `[markets.NAME.PROTOCOL]`. A protocol without one accepts no key.

    The properties say what a table's keys mean to the rest of the keeper.
    """

    moved_from_market: ClassVar[Mapping[str, str]] = {}
    """Old keys of the market's own table that are here now, for one more version, and their new names."""
    moved_from_policy: ClassVar[Mapping[str, str]] = {}
    """As `moved_from_market`, of `[policy]`: they gave the value for all markets of the protocol."""

    contracts: ClassVar[Mapping[str, str]] = {}
    """Contracts of ours that the table may name: their names in `keeper contracts deploy`, and their keys."""

    def ours(self, contract: str) -> str | None:
        """The address of one of those contracts; None where there is none."""
        key = self.contracts.get(contract)
        return None if key is None else getattr(self, key)

    @property
    def own_calls(self) -> Mapping[str, tuple[str, ...]]:
        """Contracts of ours for this market, each with the functions called on it."""
        return {}

    @property
    def chores_gas_per_day(self) -> Decimal:
        """Whole native coins per day that unpaid work may cost; 0: none is done."""
        return Decimal(0)

    @property
    def price_terms(self) -> PriceServiceTerms | None:
        """The service of signed prices, and its terms, for prices that must be brought to this market."""
        return None

    @property
    def no_claims_reason(self) -> str:
        """Why plans may not take claims on an asset that itself cannot be paid out; empty where they may."""
        return ""

    def loan_token_names(self) -> Mapping[str, Iterable[str]]:
        """By key: names (symbols or addresses) that must be loan tokens of the market."""
        return {}


P = TypeVar("P", bound=ProtocolSettings)


class MarketSettings(Section):
    """One market. `market_model` makes the class with a table per protocol, of which one is filled."""

    protocol: str
    chain: str
    address: Address
    from_block: int = Field(default=0, ge=0)
    audit_sample: int = Field(default=8, ge=1)
    """Accounts compared with the contract's own view at every block, in turn."""
    unknown_oracles: Literal["watch", "act"] = "watch"
    """Behaviour for accounts with an asset whose price source is of unknown kind."""
    oracles: dict[str, Oracle] = {}
    """By the asset's symbol or address."""
    base_price: Annotated[Decimal, Field(gt=0)] = Decimal(1)
    """What a whole unit of the market's base currency is worth in the unit of account, in which all amounts
    of the policy are. 1 where both are dollars; a market that counts in ether needs it."""

    @property
    def own(self) -> ProtocolSettings:
        """The protocol's own table."""
        return self.own_as(ProtocolSettings)

    def own_as(self, kind: type[P]) -> P:
        """The protocol's own table, as the protocol itself knows it."""
        found = getattr(self, table_of(self.protocol), None)
        return found if isinstance(found, kind) else kind()

    @model_validator(mode="after")
    def _fits(self) -> MarketSettings:
        for name in sorted(self.model_fields_set):
            table = getattr(self, name)
            if isinstance(table, ProtocolSettings) and name != table_of(self.protocol):
                given = sorted(table.model_fields_set) or [name]
                what = f"{given[0]} belongs" if len(given) == 1 else f"{' and '.join(given)} belong"
                raise ValueError(f"{what} to protocol = '{name.replace('_', '-')}'")
        return self


def table_of(protocol: str) -> str:
    """The name of a protocol's own table."""
    return protocol.replace("-", "_")


def market_model(protocols: Mapping[str, type[ProtocolSettings]]) -> type[MarketSettings]:
    """A market's section with a table for each of these protocols, by name."""
    tables: dict[str, Any] = {table_of(name): (model, model()) for name, model in protocols.items()}
    known = Literal[*protocols]  # type: ignore[valid-type]
    made: type[MarketSettings] = create_model(
        "MarketSettings", __base__=MarketSettings, protocol=(known, ...), **tables
    )
    return made
