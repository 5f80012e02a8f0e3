"""Roles that only some protocols have; absent (None) in the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

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
    """Where anybody can make a market of their own within the market: whom the operator stands for."""

    def is_strangers(self, asset: str) -> bool:
        """Whether anybody may have made this asset's price source, and nobody listed it by name."""

    def is_trusted_part(self, state: S_contra, part: str) -> bool:
        """Whether the operator stands for this part of the market (see `part`), or it has none."""


class Seller(Protocol[S_contra]):
    """Where the market sells of its own accord what it absorbed."""

    def on_sale(self, state: S_contra) -> Mapping[str, int]:
        """What the market sells of its own accord now: token → units."""

    def sold_for(self, state: S_contra) -> frozenset[str]:
        """The tokens that such a sale may take or bring."""

    def sales(self, state: S_contra, purse: Purse) -> list[Offer]:
        """Purchases of it."""


class Lending(Protocol[S_contra]):
    """Where the market lends for the length of a transaction."""

    def lenders(self, state: S_contra) -> Mapping[str, FlashLender]:
        """By token."""


class LoanPricing(Protocol[S_contra]):
    """Where the operator says what loan tokens are worth."""

    def loan_tokens(self, state: S_contra) -> Mapping[str, str]:
        """Tokens (with symbols) whose worth the operator says; empty where the market's oracle does."""


class NativeRewards(Protocol):
    """Where liquidators are paid in the chain's own coin."""

    def rewards(self, logs: Iterable[Log]) -> int:
        """Wei of the chain's own coin that the market sent for liquidations, by a transaction's logs."""


class Redeemer(Protocol[S_contra]):
    """Where a liquidation may bring claims, to be turned into the asset later."""

    def claim_reads(self, state: S_contra, asset: str, owner: str) -> list[Call]:
        """What `plan_redemption` looks up."""

    def plan_redemption(
        self, state: S_contra, asset: str, owner: str, answers: Mapping[Call, Answer]
    ) -> Plan | Blocked | None:
        """Turn claims on `asset`, taken in a liquidation, into the asset; None when there are none left."""


class OwnerPayments(Protocol[S_contra]):
    """Where an owner's own money can top up."""

    def owner_calls(self, state: S_contra, owner: str, money: OwnerMoney, operator: str) -> list[Call]:
        """What `read_owner` looks up."""

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
    """Where prices must be brought by whoever needs them."""

    def wanted_prices(self, state: S_contra) -> Sequence[WantedPrice]:
        """Each price that can be brought, each oracle and price once; none where it is on chain anyway."""


class Upkeep(Protocol[S_contra, A_contra]):
    """Where accounts make work that anybody may do, beside liquidations: orders to settle or to cancel."""

    def has_work(self, record: bytes) -> bool:
        """Whether an account makes work, now or later; asked of every record, so it is cheap."""

    def window(self, state: S_contra, raw: A_contra) -> tuple[int, int] | None:
        """From when until when (Unix time) it can be done; None where it never can."""

    def work_calls(self, state: S_contra, account: str) -> list[Call]:
        """What `work` looks up."""

    def wanted_benchmark(
        self, state: S_contra, account: str, raw: A_contra, answers: Mapping[Call, Answer]
    ) -> WantedBenchmark | None:
        """The price of a certain time that the work needs and that the answers say is not there."""

    def work(
        self,
        state: S_contra,
        account: str,
        raw: A_contra,
        timestamp: int,
        purse: Purse,
        answers: Mapping[Call, Answer],
    ) -> list[Offer] | Blocked:
        """What is paid for it, best first; or why nobody can do it now."""


class Chores(Protocol[S_contra, A_contra]):
    """Where the market as a whole, not one account, wants work done that nobody is paid for."""

    def due_chores(self, state: S_contra, accounts: Mapping[str, A_contra], timestamp: int) -> list[Chore]:
        """All that can be done in a block at `timestamp` or later, in the order in which it must be."""


class UnsizedCures(Protocol[S_contra, A_contra]):
    """Where top-ups can be sized without our arithmetic, by what the contract's own view says."""

    def unsized_top_ups(
        self, state: S_contra, raw: A_contra, request: CureRequest
    ) -> list[Unsized | Blocked]:
        """Each step as a plan of any amount, for sizing without arithmetic of ours."""
