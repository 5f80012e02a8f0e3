"""The interface every protocol answers: what to copy, how it is valued, and what can be done about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from keeper.book.source import A, BookSource, S
from keeper.chain.calls import Answer, Call
from keeper.chain.logs import Log
from keeper.model.blocked import Blocked
from keeper.model.cure import Action, OwnerFunds, OwnerMoney, Step, Unsized
from keeper.model.offer import Asset, FlashLender, Offer
from keeper.model.plan import Plan
from keeper.model.purse import Purse
from keeper.model.valuation import Explanation, Valuation


@dataclass(frozen=True, slots=True)
class PricedAsset:
    """Something the market has a price for. `price` in base units a whole asset, None when its oracle
    reverts; `source_call` answers the address of its price source, `symbol_call` its symbol. `token` (lower
    case) is what it is the price of, where that is not `asset` itself."""

    asset: str
    price: int | None
    source_call: Call
    symbol_call: Call
    token: str = ""
    trusted: bool = True
    """False for a price and a symbol that a stranger may have made: they count for his market alone."""


class MarketAdapter(BookSource[S, A, Valuation], Protocol[S, A]):
    """One market of one protocol. Pure: all input is passed in, nothing is fetched."""

    @property
    def protocol(self) -> str: ...

    @property
    def contract(self) -> str:
        """The contract that the configuration names."""

    def revision(self, state: S) -> int: ...

    def version(self, state: S) -> str | None:
        """The arithmetic that the revision suggests; None when it is unknown."""

    def base_decimals(self, state: S) -> int: ...

    def decimals(self, state: S, account: str) -> int:
        """Of the account's own values, where they are not in base currency."""

    def part_decimals(self, state: S, account: str, part: str) -> int:
        """Of a part of the account's valuation: of an amount those of its values, of a ratio its own."""

    def unit_worth(self, state: S, account: str) -> float:
        """Base units that a unit of the account's own values is worth, to compare accounts by; 0 for what a
        stranger may have made."""

    def value(self, state: S, accounts: Mapping[str, A], timestamp: int) -> list[Valuation]:
        """Every account at `timestamp`, exactly. Only when `version` is known."""

    def value_records(self, state: S, records: Mapping[str, bytes], timestamp: int) -> list[Valuation]:
        """The same from records, which are not decoded first."""

    def priced_assets(self, state: S) -> list[PricedAsset]: ...

    def price_dependencies(self, state: S, raw: A) -> frozenset[str]:
        """The assets whose prices the protocol reads to value this account."""

    def liquidation_tokens(self, state: S, raw: A) -> frozenset[str]:
        """The tokens that a liquidation of this account may take or bring."""

    def is_strangers(self, asset: str) -> bool:
        """Whether anybody may have made this asset's price source, and nobody listed it by name."""

    def is_trusted_part(self, state: S, part: str) -> bool:
        """Whether the operator stands for this part of the market (see `part`), or it has none."""

    def market_warnings(self, state: S) -> Mapping[str, str]:
        """What the operator should hear of the whole market, by a name that stays while it lasts."""

    def setup_warnings(self, state: S) -> Sequence[tuple[str, str]]:
        """What the operator should know of this configuration before he acts, and what to do about it."""

    def indices(self, state: S, timestamp: int) -> dict[str, dict[str, int]]:
        """The market-wide numbers that accounts are valued with at `timestamp`, by asset and name."""

    def explain(
        self, state: S, account: str, raw: A, timestamp: int, symbols: Mapping[str, str]
    ) -> Explanation: ...

    def planning_calls(self, state: S, accounts: Sequence[str], payer: str) -> list[Call]:
        """What `read_planning` looks up."""

    def read_planning(
        self, state: S, accounts: Sequence[str], payer: str, answers: Mapping[Call, Answer]
    ) -> Purse:
        """What planning must know from outside; `answers` are by the call that asked."""

    def gas_price_asset(self, state: S, facts: Purse, symbol: str) -> int | None:
        """Base currency a whole unit of the asset with this symbol costs; None when it is not listed."""

    def offers(self, state: S, account: str, raw: A, timestamp: int, facts: Purse) -> list[Offer] | Blocked:
        """Liquidations open to anyone, best first: with own money, with borrowed money that comes back in the
        same transaction, and for claims that are redeemed later (see `Offer.taker`)."""

    def on_sale(self, state: S) -> Mapping[str, int]:
        """What the market sells of its own accord now: token → units."""

    def sold_for(self, state: S) -> frozenset[str]:
        """The tokens that such a sale may take or bring."""

    def sales(self, state: S, facts: Purse) -> list[Offer]:
        """Purchases of it."""

    def lenders(self, state: S) -> Mapping[str, FlashLender]:
        """By token."""

    def holder(self, state: S, token: str) -> str:
        """The contract (lower case) that keeps the market's units of a token."""

    def assets(self, state: S, facts: Purse) -> Mapping[str, Asset]:
        """By token."""

    def taken(self, state: S, raws: Mapping[str, A], facts: Purse) -> list[tuple[Action, Asset]]:
        """What these accounts can be topped up with, whichever of them; without any: what might be."""

    def loan_tokens(self, state: S) -> Mapping[str, str]:
        """Tokens (with symbols) whose worth the operator says; empty where the market's oracle does."""

    @property
    def needs_capital(self) -> bool:
        """Whether a liquidator brings money of his own or borrowed."""

    def native_rewards(self, logs: Iterable[Log]) -> int:
        """Wei of the chain's own coin that the market sent for liquidations, by a transaction's logs."""

    def claim_reads(self, state: S, asset: str, owner: str) -> list[Call]:
        """What `plan_redemption` looks up."""

    def plan_redemption(
        self, state: S, asset: str, owner: str, answers: Mapping[Call, Answer]
    ) -> Plan | Blocked | None:
        """Turn claims on `asset`, taken in a liquidation, into the asset; None when there are none left."""

    def plan_top_up(
        self,
        state: S,
        account: str,
        raw: A,
        timestamp: int,
        facts: Purse,
        funds: Mapping[str, int],
        steps: Sequence[Step],
        target: int,
        budget_base: int,
        owner: OwnerFunds | None = None,
    ) -> Plan | Blocked:
        """The first step that brings health to `target` (1e18) within funds and budget; else the first
        that helps at all. With `owner` his money is spent instead of `funds`."""

    def unsized_top_ups(
        self,
        state: S,
        account: str,
        raw: A,
        facts: Purse,
        funds: Mapping[str, int],
        steps: Sequence[Step],
        budget_base: int,
        owner: OwnerFunds | None = None,
    ) -> list[Unsized | Blocked]:
        """Each step as a plan of any amount, for sizing without arithmetic of ours."""

    def owner_calls(self, state: S, owner: str, money: OwnerMoney, operator: str) -> list[Call]:
        """What `read_owner` looks up."""

    def read_owner(
        self,
        state: S,
        owner: str,
        money: OwnerMoney,
        operator: str,
        answers: Mapping[Call, Answer],
        timestamp: int,
    ) -> OwnerFunds:
        """What the owner's contract can spend in a block at `timestamp`."""
