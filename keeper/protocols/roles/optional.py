"""Roles that only some protocols have; absent (None) in the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from keeper.book.screening.bounds import HealthBounds
from keeper.book.source import A_contra, S_contra
from keeper.chain.calls import Answer, Call
from keeper.chain.logs import Log
from keeper.model.chore import Chore
from keeper.model.cure import CureRequest, OwnerFunds, OwnerMoney, Unsized
from keeper.model.offer import FlashLender, Offer
from keeper.model.plan import Blocked, Plan
from keeper.model.price_update import WantedBenchmark
from keeper.model.purse import Purse
from keeper.oracles.pull.service import WantedPrice


class Strangers(Protocol[S_contra]):
    """Markets within the market that anybody can make: which of them the operator trusts."""

    def is_strangers(self, asset: str) -> bool:
        """Whether anybody may have made this asset's price source, and nobody listed it by name."""

    def is_trusted_part(self, state: S_contra, part: str) -> bool:
        """Whether the operator trusts this part of the market (see `part`), or the market has no parts."""


class Seller(Protocol[S_contra]):
    """Sales by the market itself of what it absorbed."""

    def on_sale(self, state: S_contra) -> Mapping[str, int]:
        """What the market itself sells now: token → units."""

    def sold_for(self, state: S_contra) -> frozenset[str]:
        """The tokens that such a sale may take or bring."""

    def sales(self, state: S_contra, purse: Purse) -> list[Offer]:
        """Purchases of what is on sale."""


class Lending(Protocol[S_contra]):
    """Loans by the market for the length of a transaction."""

    def lenders(self, state: S_contra) -> Mapping[str, FlashLender]:
        """Lenders by token."""


class LoanPricing(Protocol[S_contra]):
    """Loan tokens whose worth the operator states."""

    def loan_tokens(self, state: S_contra) -> Mapping[str, str]:
        """Tokens (with symbols) whose worth the operator states; empty where the market's oracle has it."""


class NativeRewards(Protocol):
    """Rewards of liquidators in the chain's own coin."""

    def rewards(self, logs: Iterable[Log]) -> int:
        """Wei of the chain's own coin that the market sent for liquidations, by a transaction's logs."""


class Redeemer(Protocol[S_contra]):
    """Claims that a liquidation may bring, to be turned into the asset later."""

    def claim_reads(self, state: S_contra, asset: str, owner: str) -> list[Call]:
        """The calls that `plan_redemption` decodes."""

    def plan_redemption(
        self, state: S_contra, asset: str, owner: str, answers: Mapping[Call, Answer]
    ) -> Plan | Blocked | None:
        """Turn claims on `asset`, taken in a liquidation, into the asset; None when there are none left."""


class OwnerPayments(Protocol[S_contra]):
    """Top-ups with an owner's own money."""

    def owner_calls(self, state: S_contra, owner: str, money: OwnerMoney, operator: str) -> list[Call]:
        """The calls that `read_owner` decodes."""

    def read_owner(
        self,
        state: S_contra,
        owner: str,
        money: OwnerMoney,
        operator: str,
        answers: Mapping[Call, Answer],
        timestamp: int,
    ) -> OwnerFunds:
        """What the owner's contract can spend in a block at `timestamp`."""


class PulledPricing(Protocol[S_contra]):
    """Prices that must be brought by whoever needs them."""

    def wanted_prices(self, state: S_contra) -> Sequence[WantedPrice]:
        """Each price that can be brought, once per oracle; none where it is on chain anyway."""


class Upkeep(Protocol[S_contra, A_contra]):
    """Work that accounts make and anybody may do, beside liquidations: orders to settle or to cancel."""

    def has_work(self, record: bytes) -> bool:
        """Whether an account makes work, now or later; asked of every record, so it is cheap."""

    def window(self, state: S_contra, raw: A_contra) -> tuple[int, int] | None:
        """From when until when (Unix time) it can be done; None where it never can."""

    def work_calls(self, state: S_contra, account: str) -> list[Call]:
        """The calls that `work` decodes."""

    def wanted_benchmark(
        self, state: S_contra, account: str, raw: A_contra, answers: Mapping[Call, Answer]
    ) -> WantedBenchmark | None:
        """The price of a certain time that the work needs and the answers show to be missing."""

    def work(
        self,
        state: S_contra,
        account: str,
        raw: A_contra,
        timestamp: int,
        purse: Purse,
        answers: Mapping[Call, Answer],
    ) -> list[Offer] | Blocked:
        """Paid work, best first; or why nobody can do it now."""


class ScenarioScreener(Protocol[S_contra]):
    """Bounds for portfolios whose requirement is no sum over factors: by all scenarios at once."""

    def health_bounds(
        self, state: S_contra, records: Sequence[bytes], timestamps: Sequence[int]
    ) -> HealthBounds:
        """Bounds of the health of every row of records that hold at each of these times."""


class Chores(Protocol[S_contra, A_contra]):
    """Unpaid work that the market as a whole, not one account, needs."""

    def due_chores(self, state: S_contra, accounts: Mapping[str, A_contra], timestamp: int) -> list[Chore]:
        """All chores that can be done in a block at `timestamp` or later, in the order in which they must
        be."""


class UnsizedCures(Protocol[S_contra, A_contra]):
    """Top-ups that can be sized without our arithmetic, by the contract's own view."""

    def unsized_top_ups(
        self, state: S_contra, raw: A_contra, request: CureRequest
    ) -> list[Unsized | Blocked]:
        """Each step as a plan of any amount, to be sized without our arithmetic."""
