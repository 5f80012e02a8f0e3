"""What can be done about an account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from keeper.book.source import A_contra, S_contra
from keeper.chain.calls import Answer, Call
from keeper.model.blocked import Blocked
from keeper.model.cure import Action, CureRequest
from keeper.model.offer import Asset, Offer
from keeper.model.plan import Plan
from keeper.model.purse import Purse


class Planner(Protocol[S_contra, A_contra]):
    """What planning must read, what the protocol offers to anyone, and what helps an account."""

    def planning_calls(self, state: S_contra, accounts: Sequence[str], payer: str) -> list[Call]:
        """What `read_planning` looks up."""

    def read_planning(
        self, state: S_contra, accounts: Sequence[str], payer: str, answers: Mapping[Call, Answer]
    ) -> Purse:
        """What planning must know from outside; `answers` are by the call that asked."""

    def offers(
        self, state: S_contra, account: str, raw: A_contra, timestamp: int, purse: Purse
    ) -> list[Offer] | Blocked:
        """Liquidations open to anyone, best first: with own money, with borrowed money that comes back in the
        same transaction, and for claims that are redeemed later (see `Offer.taker`)."""

    def assets(self, state: S_contra, purse: Purse) -> Mapping[str, Asset]:
        """By token."""

    def liquidation_tokens(self, state: S_contra, raw: A_contra) -> frozenset[str]:
        """The tokens that a liquidation of this account may take or bring."""

    def plan_top_up(self, state: S_contra, raw: A_contra, request: CureRequest) -> Plan | Blocked:
        """The first step that brings health to the target within funds and budget; else the first that helps
        at all."""

    def accepted_assets(
        self, state: S_contra, raws: Mapping[str, A_contra], purse: Purse
    ) -> list[tuple[Action, Asset]]:
        """What these accounts can be topped up with, whichever of them; without any: what might be."""

    def holder(self, state: S_contra, token: str) -> str:
        """The contract (lower case) that keeps the market's units of a token."""
