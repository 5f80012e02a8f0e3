"""A market as the roles that every protocol answers; roles that only some have are in `optional`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from keeper.book.source import A, A_contra, BookSource, S, S_contra
from keeper.chain.calls import Answer, Call
from keeper.config.policy import Action
from keeper.model.cure import CureRequest
from keeper.model.offer import Asset, Offer
from keeper.model.plan import Blocked, Plan
from keeper.model.purse import Purse
from keeper.model.valuation import Explanation, Valuation
from keeper.protocols.roles import optional


@dataclass(frozen=True, slots=True)
class PulledFeed:
    """A signed price that is brought: its oracle and its id there, as one name, and the Unix time at which
    the present one was published (0: none was ever brought)."""

    name: str
    published: int


@dataclass(frozen=True, slots=True)
class PricedAsset:
    """An asset that the market has a price for. `price` in base units per whole asset, None when its oracle
    reverts; `source_call` answers the address of its price source, `symbol_call` its symbol. `token` (lower
    case) is what the price is of, where that is not `asset` itself."""

    asset: str
    price: int | None
    source_call: Call
    symbol_call: Call
    token: str = ""
    trusted: bool = True
    """False for a price and symbol that a stranger may have made: they count for that market alone."""
    pulled: PulledFeed | None = None
    """The pulled feed behind the price, where it must be brought."""


class Valuer(Protocol[S_contra, A_contra]):
    """Version, exact valuations at a time, prices, and the prices that an account depends on."""

    def revision(self, state: S_contra) -> int: ...

    def version(self, state: S_contra) -> str | None:
        """The arithmetic that the revision suggests; None when it is unknown."""

    def value(self, state: S_contra, accounts: Mapping[str, A_contra], timestamp: int) -> list[Valuation]:
        """Every account at `timestamp`, exactly. Only when `version` is known."""

    def value_records(self, state: S_contra, records: Mapping[str, bytes], timestamp: int) -> list[Valuation]:
        """As `value`, from records, which are not decoded first."""

    def priced_assets(self, state: S_contra) -> list[PricedAsset]: ...

    def price_dependencies(self, state: S_contra, raw: A_contra) -> frozenset[str]:
        """The assets whose prices the protocol reads to value this account."""


class Planner(Protocol[S_contra, A_contra]):
    """Planning: its reads, the liquidations that the protocol offers to anyone, and an account's cures."""

    def planning_calls(self, state: S_contra, accounts: Sequence[str], payer: str) -> list[Call]:
        """The calls that `read_planning` decodes."""

    def read_planning(
        self, state: S_contra, accounts: Sequence[str], payer: str, answers: Mapping[Call, Answer]
    ) -> Purse:
        """Decode what planning must know from outside; `answers` are by call."""

    def offers(
        self, state: S_contra, account: str, raw: A_contra, timestamp: int, purse: Purse
    ) -> list[Offer] | Blocked:
        """Liquidations open to anyone, best first: with own money, with borrowed money that comes back in the
        same transaction, and for claims that are redeemed later (see `Offer.taker`)."""

    def assets(self, state: S_contra, purse: Purse) -> Mapping[str, Asset]:
        """Assets by token."""

    def liquidation_tokens(self, state: S_contra, raw: A_contra) -> frozenset[str]:
        """The tokens that a liquidation of this account may take or bring."""

    def plan_top_up(self, state: S_contra, raw: A_contra, request: CureRequest) -> Plan | Blocked:
        """The first step that brings health to the target within funds and budget; else the first that helps
        at all."""

    def accepted_assets(
        self, state: S_contra, raws: Mapping[str, A_contra], purse: Purse
    ) -> list[tuple[Action, Asset]]:
        """The assets that can top up any of these accounts; without accounts: those that might."""

    def holder(self, state: S_contra, token: str) -> str:
        """The contract (lower case) that keeps the market's units of a token."""


class Explainer(Protocol[S_contra, A_contra]):
    """Explanations for people: lines, their units, and warnings of market and set-up."""

    def explain(
        self, state: S_contra, account: str, raw: A_contra, timestamp: int, symbols: Mapping[str, str]
    ) -> Explanation: ...

    def base_decimals(self, state: S_contra) -> int: ...

    def decimals(self, state: S_contra, account: str) -> int:
        """Decimals of the account's own values, where they are not in base currency."""
        return self.base_decimals(state)

    def part_decimals(self, state: S_contra, account: str, part: str) -> int:
        """Decimals of a part of the account's valuation: an amount's are those of its values, a ratio has its
        own."""

    def unit_worth(self, state: S_contra, account: str) -> float:
        """Base units per unit of the account's own values, to compare accounts by; 0 where a stranger may
        have made it."""
        return 1.0

    def indices(self, state: S_contra, timestamp: int) -> dict[str, dict[str, int]]:
        """The market-wide numbers that accounts are valued with at `timestamp`, by asset and name."""

    def market_warnings(self, state: S_contra) -> Mapping[str, str]:
        """Warnings for the operator about the whole market, each by a name that stays while it lasts."""
        return {}

    def setup_warnings(self, state: S_contra) -> Sequence[tuple[str, str]]:
        """Warnings for the operator about this configuration before acting, with remedies."""
        return []


class MarketRoles(BookSource[S, A, Valuation], Protocol[S, A]):
    """One market of one protocol as its roles; roles that it lacks are None."""

    protocol: str
    contract: str
    """The contract that the configuration names."""
    needs_capital: bool
    """Whether a liquidator needs money, their own or borrowed."""
    valuer: Valuer[S, A]
    planner: Planner[S, A]
    explainer: Explainer[S, A]
    strangers: optional.Strangers[S] | None = None
    seller: optional.Seller[S] | None = None
    lending: optional.Lending[S] | None = None
    loan_pricing: optional.LoanPricing[S] | None = None
    native_rewards: optional.NativeRewards | None = None
    redeemer: optional.Redeemer[S] | None = None
    upkeep: optional.Upkeep[S, A] | None = None
    chores: optional.Chores[S, A] | None = None
    owner_payments: optional.OwnerPayments[S] | None = None
    unsized_cures: optional.UnsizedCures[S, A] | None = None
    pulled: optional.PulledPricing[S] | None = None
    scenario_screener: optional.ScenarioScreener[S] | None = None
